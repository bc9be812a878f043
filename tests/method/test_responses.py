"""Which responses are used: the filter, and the language."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.method.commentary import Cut
from sl_dagster.method.filters import drop_reason
from sl_dagster.method.responses import missing_mentions, response_drop_reason, response_in
from tests.method.texts import texts


def reason(text: str, language, finish_reason: str = "stop", preset="default") -> str | None:
    return response_drop_reason(text, language, finish_reason=finish_reason, preset=preset)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["写完了。", "桥很旧（很旧）", "桥很旧，"])
def test_chinese_does_not_answer_an_english_instruction(text: str) -> None:
    assert reason(text, "en") == "wrong_language"
    assert reason(text, "zh") != "wrong_language"


def test_english_does_not_answer_a_chinese_instruction() -> None:
    assert reason("The bridge was old.", "zh") == "wrong_language"
    assert reason("The bridge was old.", "en") is None


def test_a_quotation_or_code_is_no_other_language() -> None:
    assert (
        reason("The word 道 (the way) is hard to translate, as every reader knows.", "en") is None
    )
    assert reason("代码如下：\n```\nprint('done')\nprint('again')\n```", "zh") is None
    assert reason("```\nprint('done')\n```", "zh") is None


def test_the_response_is_what_is_left_without_remarks() -> None:
    output = "Here is the expanded text:\n\nThe bridge was old.\n\nI removed repetitive words."
    text, cut = response_in(output, "default")
    assert text == "The bridge was old."
    assert (cut.before, cut.after) == ("Here is the expanded text:", "I removed repetitive words.")
    assert response_in(output, "reference") == (output, Cut())


@given(texts)
def test_nothing_is_lost(text: str) -> None:
    kept, cut = response_in(text, "default")
    pieces = [piece for piece in (cut.before, kept, cut.after) if piece]
    assert all(piece.strip() in text for piece in pieces)
    letters = [char for char in text if char.isalnum()]
    assert [char for piece in pieces for char in piece if char.isalnum()] == letters


@given(texts, st.sampled_from(["en", "zh"]), st.sampled_from(["stop", "length", "repetition"]))
def test_the_language_is_all_that_is_added(text: str, language, finish_reason: str) -> None:
    plain = drop_reason(text, language, finish_reason=finish_reason)
    found = reason(text, language, finish_reason)
    assert found in (plain, "wrong_language")
    if plain in ("truncated", "looping", "empty"):
        assert found == plain
    assert reason(text, language, finish_reason, "reference") == drop_reason(
        text, language, finish_reason=finish_reason, preset="reference"
    )


@pytest.mark.parametrize("piece", ["字", "a", "a.b-c", "<", "`", "@", "- a ", "a b. ", "(a "])
def test_time_grows_with_the_text_only(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        begin = time.process_time()
        reason(text, "en", "unknown")
        return time.process_time() - begin

    seconds(2_000)
    assert seconds(160_000) < 50 * max(seconds(20_000), 0.01)


def test_what_a_text_does_not_name_is_missing() -> None:
    text = "The Mill stood by the river."
    assert missing_mentions(text, ("mill", "River", "heron")) == ("heron",)
    assert missing_mentions(text, ()) == ()
