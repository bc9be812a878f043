"""The journal: what is written survives, what is half written does not count."""

import json
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.errors import UserError
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.journal import Journal, Work
from tests.stored_stages import response


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal.jsonl"
    journal = Journal(path, Text)
    journal.append("a", [response("a", "Some text.", kept=False), response("a", "写了。")])
    journal.append("b", [response("b", "Some text.", kept=False)])
    journal.close()
    again = Journal(path, Text)
    assert list(again.outcomes) == ["a", "b"]
    assert (again.outcomes["a"].kept, again.outcomes["a"].characters) == (True, 3)
    assert not again.outcomes["b"].kept
    assert again.read("a") == [response("a", "Some text.", kept=False), response("a", "写了。")]
    again.append("c", [response("c", "Some text.")])
    assert again.read("c") == [response("c", "Some text.")]
    assert again.read("b") == [response("b", "Some text.", kept=False)]


@pytest.mark.parametrize("rest", [b'["b", [{"rec', b'["b", 1]', b"\x00\x00"])
def test_a_line_that_a_kill_left_is_cut_off(tmp_path: Path, rest: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path, Text)
    journal.append("a", [response("a", "Some text.")])
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole + rest)
    again = Journal(path, Text)
    assert list(again.outcomes) == ["a"]
    again.append("c", [response("c", "Some text.")])
    again.close()
    assert path.read_bytes().startswith(whole)
    assert list(Journal(path, Text).outcomes) == ["a", "c"]


def test_the_work_of_all_runs_adds_up(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    for slot in ("a", "b"):
        journal = Journal(path, Text)
        journal.append(slot, [response(slot, "Some text.")], Work(7, 1.5))
        journal.close()
    again = Journal(path, Text)
    assert again.work == Work(14, 3.0)
    assert again.read("b") == [response("b", "Some text.")]


def test_two_who_write_one_journal_mix_nothing_up(tmp_path: Path) -> None:
    """A run that was asleep, and the one that has taken its iteration over."""
    path = tmp_path / "journal.jsonl"
    one, two = Journal(path, Text), Journal(path, Text)
    one.append("a", [response("a", "Some text.")])
    two.append("b", [response("b", "Some text.")])
    with pytest.raises(UserError, match=r"the line of b is not what was written .*another run"):
        two.read("b")
    assert one.read("a") == [response("a", "Some text.")]
    both = Journal(path, Text)
    assert both.read("b") == [response("b", "Some text.")]


def written(path: Path, count: int) -> list[bytes]:
    """The lines of a journal of so many slots."""
    journal = Journal(path, Text)
    for number in range(count):
        name = f"slot{number}"
        journal.append(
            name, [response(name, "Some text.", kept=False), response(name, f"文 {number}. " * 9)]
        )
    journal.close()
    return path.read_bytes().splitlines(keepends=True)


@given(st.data())
def test_a_flipped_bit_costs_the_slots_that_it_touches(data: st.DataObject) -> None:
    """Wherever it is: in a text, a number, a name, the checksum, or the end of a line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        lines = written(path, 4)
        content = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        touched = sum(len(b"".join(lines[: n + 1])) <= place for n in range(4))
        journal = Journal(path, Text)
        lost = {f"slot{touched}"}
        if place + 1 == len(b"".join(lines[: touched + 1])):
            lost.add(f"slot{touched + 1}")  # two lines have become one
        expected = {f"slot{n}" for n in range(4)} - lost
        assert set(journal.outcomes) == expected
        for name in expected:
            number = name.removeprefix("slot")
            assert journal.read(name)[-1].written == f"文 {number}. " * 9
        journal.append("new", [response("new", "Some text.")])
        journal.close()
        again = Journal(path, Text)
        assert set(again.outcomes) == {*expected, "new"}
        again.close()


def test_damaged_lines_are_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    lines = written(path, 4)
    bad = [
        b"\x00" * 20 + b"\n",
        b"[" * 9000 + b"\n",
        b'["x", []]\n',
        b"7\n",
        b'["y", [{"a": 1}]]\n',
        lines[3].replace(b", [0, 0.0], ", b", [0], "),
    ]
    path.write_bytes(lines[0] + b"".join(bad) + lines[1] + lines[2][:-9])
    journal = Journal(path, Text)
    assert (list(journal.outcomes), journal.damaged) == (["slot0", "slot1"], [2, 3, 4, 5, 6, 7])


@pytest.mark.parametrize("checksum", [False, True])
def test_a_journal_of_an_earlier_version_goes_on(tmp_path: Path, checksum: bool) -> None:
    """Its lines do not say what they have taken; those of still earlier ones have no checksum."""
    path = tmp_path / "journal.jsonl"
    line = json.dumps(["a", [response("a", "写了。").as_row()]], ensure_ascii=False).encode()
    content = line.removesuffix(b"]")
    path.write_bytes((content + b', "%08x"]' % zlib.crc32(content) if checksum else line) + b"\n")
    journal = Journal(path, Text)
    journal.append("b", [response("b", "Some text.")])
    journal.close()
    again = Journal(path, Text)
    assert (list(again.outcomes), again.damaged) == (["a", "b"], [])
    assert again.work == Work()
    assert again.read("a")[0].written == "写了。"


def test_a_full_disk_keeps_the_lines_before(tmp_path: Path) -> None:
    """A limit on file sizes stands for the full disk: a write then fails half-way."""
    program = """
import resource, sys
from pathlib import Path
from sl_dagster.resources.records import Text
from tests.stored_stages import response
from sl_dagster.resources.storage.journal import Journal
journal = Journal(Path(sys.argv[1]), Text)
journal.append("a", [response("a", "Some text.")])
limit = journal.path.stat().st_size + 100
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
try:
    journal.append("b", [response("b", "x" * 10_000)])
except OSError as error:
    print("failed", error.errno)
"""
    path = tmp_path / "journal.jsonl"
    result = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("failed")
    assert list(Journal(path, Text).outcomes) == ["a"]
