"""Reading JSON lines."""

from pathlib import Path

import pytest

from sl_dagster.errors import UserError
from sl_dagster.inputs.json_lines import numbered_objects, open_lines


def test_objects_have_the_numbers_of_their_lines() -> None:
    lines = ["\ufeff{}\r\n".encode(), b"\n", b'{"a": "\xe2\x80\xa8"}\n', b"{}"]
    found = list(numbered_objects(lines, "some.jsonl"))
    assert found == [(1, {}), (3, {"a": "\u2028"}), (4, {})]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"oops", "is not JSON"),
        (b"[]", "it is not a JSON object"),
        (b'{"text": "\xff"}', "is not UTF-8 text"),
    ],
)
def test_a_bad_line_is_named(line: bytes, problem: str) -> None:
    for file, name in (("some.jsonl", "some.jsonl"), ("-", "standard input")):
        with pytest.raises(UserError) as caught:
            list(numbered_objects([b"{}", line], file))
        assert str(caught.value).startswith(f"{name}, line 2: ")
        assert problem in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.jsonl: cannot be read: No such file"):
        open_lines(str(tmp_path / "nothing.jsonl"))
    with pytest.raises(UserError, match="Is a directory"):
        open_lines(str(tmp_path))
