"""Files of instructions, line by line."""

from pathlib import Path

import pytest

from sl_dagster.errors import UserError
from sl_dagster.inputs.instructions import numbered_instructions, read_instructions

GOOD = '{"instruction": " Write a story. ", "language": "en", "kind": "literature"}'


def test_lines_become_instructions(tmp_path: Path) -> None:
    file = tmp_path / "seeds.jsonl"
    file.write_text(f'\n{GOOD}\n\n{{"instruction": "写一个故事", "language": "zh"}}\n')
    both = read_instructions(file, ("en", "zh"))
    assert [line.instruction for line in both] == ["Write a story.", "写一个故事"]
    assert [line.language for line in read_instructions(file, ("zh",))] == ["zh"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{not json", "line 2: "),
        ('{"language": "en"}', "line 2: instruction: this key is missing"),
        ('{"instruction": " ", "language": "en"}', "line 2: instruction: "),
        (
            '{"instruction": "Write.", "language": "French"}',
            "line 2: language: expected",
        ),
        ('{"instruction": "Write.", "lang": "en", "language": "en"}', "line 2: lang: unknown key"),
        ('{"instruction": "A", "language": "en", "kind": "odd"}', "line 2: kind: expected 'liter"),
        ('["a"]', "line 2: "),
    ],
)
def test_the_wrong_line_is_named(tmp_path: Path, line: str, expected: str) -> None:
    file = tmp_path / "seeds.jsonl"
    file.write_text(f"{GOOD}\n{line}\n")
    with pytest.raises(UserError) as caught:
        read_instructions(file, ("en",))
    assert str(caught.value).startswith(str(file))
    assert expected in str(caught.value)


def test_a_line_ends_at_its_end_only(tmp_path: Path) -> None:
    file = tmp_path / "seeds.jsonl"
    odd = GOOD.replace("a story", "a\u2028story")
    file.write_text(f"{odd}\r\n\n{GOOD}", encoding="utf-8", newline="")
    numbered = numbered_instructions(file)
    assert [number for number, _ in numbered] == [1, 3]
    assert numbered[0][1].instruction == "Write a\u2028story."
    assert numbered[0][1].kind == "literature"


def test_nothing_in_the_language(tmp_path: Path) -> None:
    file = tmp_path / "seeds.jsonl"
    file.write_text("")
    with pytest.raises(UserError, match="the file is empty"):
        read_instructions(file, ("en",))
    file.write_text(GOOD)
    with pytest.raises(UserError, match="no instruction in zh"):
        read_instructions(file, ("zh",))
    file.write_bytes(b"\xff")
    with pytest.raises(UserError, match="line 1: is not UTF-8 text"):
        read_instructions(file, ("en",))
