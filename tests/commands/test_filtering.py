"""Filtering a file of records."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.commands.filtering import Verdict, verdicts
from sl_dagster.errors import UserError
from sl_dagster.method.filters import Preset, drop_reason
from sl_dagster.method.plain_text import plain_text
from sl_dagster.method.words import count_words
from tests.method.texts import any_text


def judged(*lines: bytes | dict, language=None, preset: Preset = "default") -> list[Verdict]:
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return list(verdicts(raw, "some.jsonl", language, preset))


def test_each_record_gets_its_verdict_in_order() -> None:
    assert judged(
        {"text": "It is done."},
        {"text": "Not yet,"},
        {"text": "写完了。"},
        {"text": ""},
    ) == [
        {"accepted": True, "reason": None, "words": 3},
        {"accepted": False, "reason": "unfinished", "words": 2},
        {"accepted": True, "reason": None, "words": 4},
        {"accepted": False, "reason": "empty", "words": 0},
    ]


def reason(record: dict, **options) -> str | None:
    return judged(record, **options)[0]["reason"]


def test_the_records_own_language_counts_more_than_its_text() -> None:
    english = {"text": "It is done."}
    assert reason(english) is None
    assert reason(english | {"language": None}) is None
    assert reason(english | {"language": "zh"}, preset="reference") == "unfinished"


def test_a_given_language_counts_more_than_the_records_own() -> None:
    chinese = {"text": "写完了。", "language": "zh"}
    assert reason(chinese, preset="reference") is None
    assert reason(chinese, language="en", preset="reference") == "unfinished"
    assert reason({"text": "It is done.", "language": "English"}, language="en") is None


def test_a_finish_reason_is_honoured() -> None:
    record = {"text": "It is done.", "finish_reason": "length"}
    assert reason(record) == "truncated"
    assert reason(record, preset="reference") is None
    assert reason(record | {"finish_reason": "stop"}) is None
    assert reason(record | {"finish_reason": None}) is None


def test_empty_lines_a_byte_order_mark_and_line_ends_inside_a_text() -> None:
    lines = "\ufeff{}\r\n\n{}".format('{"text": "One."}', '{"text": "Two.\u2028\u0085Three!"}')
    found = judged(*lines.encode().splitlines(keepends=True))
    assert [verdict["words"] for verdict in found] == [1, 2]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"oops", "is not JSON"),
        (b'["text"]', "it is not a JSON object"),
        (b'{"language": "en"}', "text: this key is missing"),
        (b'{"text": null}', "text: expected text, found null"),
        (b'{"text": "x", "language": "French"}', "language: expected a language's ISO code"),
        (b'{"text": "x", "finish_reason": 1}', "finish_reason: expected text"),
        (b'{"text": "\xff\xff"}', "is not UTF-8 text (invalid start byte, byte 11)"),
        (b"[" * 100_000, "is no record"),
        (b'{"text": "x", "n": ' + b"9" * 5000 + b"}", "is no record"),
    ],
)
def test_a_bad_line_is_named_after_the_verdicts_on_those_before(line: bytes, problem: str) -> None:
    lines = [b'{"text": "One."}\n', b"\n", line, b'{"text": "Two."}\n']
    results = verdicts(lines, "some.jsonl", None, "default")
    assert next(results)["accepted"]
    with pytest.raises(UserError) as caught:
        next(results)
    assert str(caught.value).startswith("some.jsonl, line 3: ")
    assert problem in str(caught.value)


def test_only_the_line_at_hand_is_read() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b'{"text": "One."}\n'

    results = verdicts(endless(), "-", "en", "default")
    assert all(next(results)["accepted"] for _ in range(100))


@given(st.lists(any_text), st.sampled_from(["en", "zh"]))
def test_verdicts_are_the_filters(texts: list[str], language) -> None:
    plain = [plain_text(text) for text in texts]
    expected = [drop_reason(text, language) for text in plain]
    found = judged(*({"text": text} for text in texts), language=language)
    assert [verdict["reason"] for verdict in found] == expected
    assert [verdict["accepted"] for verdict in found] == [r is None for r in expected]
    assert [verdict["words"] for verdict in found] == [count_words(text) for text in plain]
