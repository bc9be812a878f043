"""The journal: what is written survives, what is half written does not count."""

import subprocess
import sys
from pathlib import Path

import pytest

from sl_dagster.resources.records import Record
from sl_dagster.resources.storage.journal import Journal


def record(name: str, text: str = "Some text.", kept: bool = True) -> Record:
    return Record(
        record_id=name,
        parents=("p",),
        experiment="e",
        iteration=1,
        stage="s",
        position=0,
        language="en",
        text=text,
        kept=kept,
        drop_reason=None if kept else "repetition",
    )


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal.jsonl"
    journal = Journal(path)
    journal.append("a", [record("a", kept=False), record("a", "写了。")])
    journal.append("b", [record("b", kept=False)])
    journal.close()
    again = Journal(path)
    assert list(again.outcomes) == ["a", "b"]
    assert (again.outcomes["a"].kept, again.outcomes["a"].characters) == (True, 3)
    assert not again.outcomes["b"].kept
    assert again.read("a") == [record("a", kept=False), record("a", "写了。")]
    again.append("c", [record("c")])
    assert again.read("c") == [record("c")]
    assert again.read("b") == [record("b", kept=False)]


@pytest.mark.parametrize("rest", [b'["b", [{"rec', b'["b", 1]', b"\x00\x00\n"])
def test_a_line_that_a_kill_left_is_cut_off(tmp_path: Path, rest: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.append("a", [record("a")])
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole + rest)
    again = Journal(path)
    assert list(again.outcomes) == ["a"]
    again.append("c", [record("c")])
    again.close()
    assert path.read_bytes().startswith(whole)
    assert list(Journal(path).outcomes) == ["a", "c"]


def test_a_full_disk_keeps_the_lines_before(tmp_path: Path) -> None:
    """A limit on file sizes stands for the full disk: a write then fails half-way."""
    program = """
import resource, sys
from pathlib import Path
from tests.resources.storage.test_journal import record
from sl_dagster.resources.storage.journal import Journal
journal = Journal(Path(sys.argv[1]))
journal.append("a", [record("a")])
limit = journal.path.stat().st_size + 100
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
try:
    journal.append("b", [record("b", "x" * 10_000)])
except OSError as error:
    print("failed", error.errno)
"""
    path = tmp_path / "journal.jsonl"
    result = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("failed")
    assert list(Journal(path).outcomes) == ["a"]
