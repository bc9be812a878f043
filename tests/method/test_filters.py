"""The response filters and their reasons."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.method.filters import drop_reason, has_repeated_ngram

TEN = "one two three four five six seven eight nine ten"


@pytest.mark.parametrize("ending", list(".!?\"')]}>`"))
def test_english_endings_that_pass(ending: str) -> None:
    assert drop_reason(f"It is done{ending} \n", "en") is None


@pytest.mark.parametrize("ending", list(",;:-"))
def test_unfinished_english_passes_only_the_reference(ending: str) -> None:
    assert drop_reason(f"It is done{ending}", "en") == "unfinished"
    assert drop_reason(f"It is done{ending}", "en", preset="reference") is None


@pytest.mark.parametrize("ending", list("。！？”’…）】)]}>`"))
def test_chinese_endings_that_pass(ending: str) -> None:
    assert drop_reason(f"写完了{ending}", "zh") is None


def test_chinese_ellipsis_in_dots_passes_only_the_default() -> None:
    assert drop_reason("写完了...", "zh") is None
    assert drop_reason("写完了...", "zh", preset="reference") == "unfinished"


def test_an_english_full_stop_does_not_end_a_chinese_text() -> None:
    assert drop_reason("写完了.", "zh") == "unfinished"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("text", ["", "  \n"])
def test_empty(text: str, language) -> None:
    assert drop_reason(text, language) == "empty"


def test_being_cut_off_comes_first_and_the_reference_does_not_know_it() -> None:
    for finish_reason, reason in (("length", "truncated"), ("repetition", "looping")):
        text = "It is done."
        assert drop_reason(text, "en", finish_reason=finish_reason) == reason
        assert drop_reason(text, "en", finish_reason=finish_reason, preset="reference") is None


@pytest.mark.parametrize("word", ["revised", "revision", "response", "version", "paragraph"])
def test_meta_words_at_the_edges(word: str) -> None:
    middle = "\n".join(f"Line {number} of the story." for number in range(6))
    assert drop_reason(f"Here is the {word}.\n{middle}", "en") == "meta_words"
    assert drop_reason(f"{middle}\nThat was the {word}.", "en") == "meta_words"
    assert drop_reason(f"Begin.\nGo on.\nA {word}.\n{middle}", "en") is None
    assert drop_reason(f"The {word.upper()}.\n{middle}", "en") is None  # case-sensitive
    assert drop_reason(f"不{word}。", "zh") is None


def test_a_repeated_10_gram_drops_english() -> None:
    assert drop_reason(f"{TEN} and {TEN}.", "en") is None  # the last token is "ten."
    assert drop_reason(f"{TEN} and\n{TEN} again.", "en") == "repetition"


def test_13_grams_of_chinese_units() -> None:
    clause = "一二三四五六七八九十百千万"  # 13 units
    assert has_repeated_ngram(f"{clause}。{clause}", "zh")
    assert not has_repeated_ngram(f"{clause[:12]}。{clause[:12]}", "zh")


def test_a_run_of_ascii_is_one_chinese_unit() -> None:
    # 7 ideographs and 6 runs of ASCII make 13 units.
    clause = "一hello world二x三y四z五1\n2六w七"
    assert has_repeated_ngram(f"{clause}。{clause}", "zh")


@given(st.lists(st.sampled_from("abc"), max_size=60))
def test_repetition_agrees_with_the_definition(tokens: list[str]) -> None:
    grams = [tuple(tokens[start : start + 10]) for start in range(len(tokens) - 9)]
    assert has_repeated_ngram(" ".join(tokens), "en") == (len(set(grams)) < len(grams))


@given(st.text())
def test_any_text_gets_a_verdict(text: str) -> None:
    for language in ("en", "zh"):
        for preset in ("default", "reference"):
            drop_reason(text, language, preset=preset)
