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
        (
            '{"text": "他写了一封信。"}'.encode("gbk"),
            "is GBK text, not UTF-8; convert the file:",
        ),
        ('{"text": "A letter."}'.encode("utf-16"), "is UTF-16 text, not UTF-8; convert the file"),
        ('{"text": "Привет, мир"}'.encode("koi8-r"), "is not UTF-8 text"),
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


def test_what_is_no_text_is_replaced_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    lines = [
        b'{"text": "All is well."}',
        rb'{"text": "Half \ud83d here, whole \ud83d\ude00, a NUL \u0000 and \u001b[31m."}',
        b'{"text": "A wrong byte \xff among many.", "list": [{"deep": "\\udc00"}]}',
    ]
    found = [content for _, content in numbered_objects(lines, "some.jsonl")]
    assert found == [
        {"text": "All is well."},
        {"text": "Half \ufffd here, whole 😀, a NUL \ufffd and \ufffd[31m."},
        {"text": "A wrong byte \ufffd among many.", "list": [{"deep": "\ufffd"}]},
    ]
    assert caplog.messages == [
        "some.jsonl: 5 characters are no text and have been replaced by \ufffd, the first in line 2"
    ]


@pytest.mark.parametrize("text", ["Müller & Söhne", "one stray \xff", "naïve"])
def test_few_wrong_bytes_are_no_other_encoding(text: str, caplog: pytest.LogCaptureFixture) -> None:
    line = b'{"text": "' + text.encode("latin-1") + b' among many that are right."}'
    [(_, found)] = numbered_objects([line], "some.jsonl")
    assert "\ufffd" in found["text"]
    assert "have been replaced" in caplog.text
