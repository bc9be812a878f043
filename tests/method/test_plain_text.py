"""Text from outside."""

import json

import pytest
from hypothesis import example, given

from sl_dagster.method.plain_text import plain_text
from tests.method.texts import any_text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Plain text stays: 写了。 \t\r\n\u2028 café 😀", None),
        ("half \ud83d alone", "half \ufffd alone"),
        ("other half \ude00 alone", "other half \ufffd alone"),
        ("both \ud83d\ude00 halves", "both 😀 halves"),
        ("\x00\x07\x1b[2J\x7f\x84\x9b", "\ufffd\ufffd\ufffd[2J\ufffd\ufffd\ufffd"),
        ("page\x0cbreak, next\x85line", "page\nbreak, next\nline"),
    ],
)
def test_only_what_is_no_text_is_replaced(text: str, plain: str | None) -> None:
    assert plain_text(text) == (text if plain is None else plain)


@given(any_text)
@example("\ud83d\ud83d\ude00\ude00")
def test_it_can_be_written_anywhere(text: str) -> None:
    plain = plain_text(text)
    assert plain.encode().decode() == plain
    assert json.loads(json.dumps(plain, ensure_ascii=False).encode()) == plain
    assert plain_text(plain) == plain
    assert all(character.isprintable() or character.isspace() or ord(character) > 0x9F
               for character in plain)  # fmt: skip
