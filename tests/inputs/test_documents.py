"""Documents as users have them, and mistakes in their files."""

from pathlib import Path

import pytest

from sl_dagster.errors import UserError
from sl_dagster.inputs.documents import read_documents


def test_lines_and_whole_files(tmp_path: Path) -> None:
    lines = tmp_path / "some.jsonl"
    lines.write_text(
        '{"text": " The old bridge. ", "language": "en", "url": "?"}\n\n'
        '{"text": "这座老桥在河上站了很多年。"}\n',
        encoding="utf-8",
    )
    whole = tmp_path / "story.md"
    whole.write_text("# The harbour\n\nNobody knew the grey ship.\n", encoding="utf-8-sig")
    found = list(read_documents([lines, whole]))
    assert [(one.text, one.written_in) for one in found] == [
        ("The old bridge.", "en"),
        ("这座老桥在河上站了很多年。", "zh"),
        ("# The harbour\n\nNobody knew the grey ship.", "en"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.jsonl", b'{"text": "a"}\n{"txt": "b"}', r"a.jsonl, line 2: text: this key is missing"),
        ("a.jsonl", b'{"text": " "}', r"a.jsonl, line 1: text: "),
        (
            "a.jsonl",
            b'{"text": "a", "language": "French"}',
            "line 1: language: expected",
        ),
        ("a.jsonl", b"a story", r"a.jsonl, line 1: is not JSON"),
        ("a.txt", b"\n", r"a.txt: text: "),
        ("a.txt", b"\xff\xfeA\0", r"a.txt: is UTF-16 text, not UTF-8; convert"),
        ("a.txt", "Sie sagte: „Grüße aus Köln“.".encode("cp1252"), "is Windows-1252 or Latin-1"),
        ("a.txt", b"PAR1\x15\x04", "a.txt: is a Parquet file, not text"),
        ("a.txt", b"\0" * 4096, "a.txt: has only zero bytes"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=expected):
        list(read_documents([path]))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for name in ("none.jsonl", "none.txt"):
        with pytest.raises(UserError, match="cannot be read"):
            list(read_documents([tmp_path / name]))
