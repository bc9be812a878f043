"""The response filters and their reasons."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sl_dagster.method.filters import drop_reason, has_repeated_ngram
from sl_dagster.method.language import Language
from tests.method.texts import texts

DROPPED_ANYHOW = ("meta_words", "repetition")
TEN = "one two three four five six seven eight nine ten"


def reference(text: str, language: Language = "en") -> str | None:
    """What the paper's own filter says."""
    return drop_reason(text, language, preset="reference")


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
    assert reference(f"Here is the {word}.\n{middle}") == "meta_words"
    assert reference(f"{middle}\nThat was the {word}.") == "meta_words"
    assert reference(f"Begin.\nGo on.\nA {word}.\n{middle}") is None
    assert reference(f"The {word.upper()}.\n{middle}") is None  # case-sensitive
    assert reference(f"不{word}。", "zh") is None


@pytest.mark.parametrize("word", ["revised", "revision", "response", "version", "paragraph"])
def test_no_single_word_drops_a_text_by_default(word: str) -> None:
    middle = "\n".join(f"{name} came to the bridge." for name in ("Anna", "Mara", "The ferryman"))
    assert drop_reason(f"There was no {word} of it.\n{middle}", "en") is None
    assert drop_reason(f"{middle}\nThere was no {word} of it.", "en") is None


def test_a_repeated_10_gram_drops_english() -> None:
    assert reference(f"{TEN} and {TEN}.") is None  # the last token is "ten."
    assert reference(f"{TEN} and\n{TEN} again.") == "repetition"


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
    assert has_repeated_ngram(" ".join(tokens), "en") == some_gram_twice(tokens, 10)


def some_gram_twice(units: list[str], n: int) -> bool:
    grams = [tuple(units[start : start + n]) for start in range(len(units) - n + 1)]
    return len(set(grams)) < len(grams)


def units_of(text: str) -> list[str]:
    """The definition of Chinese units, character by character."""
    units: list[str] = []
    for before, char in zip(f"。{text}", text, strict=False):
        if char.isascii() and before.isascii():
            units[-1] += char
        else:
            units.append(char)
    return units


def by_definition(text: str, language: str) -> str | None:
    """The reference's rule of one language as plainly as it can be written."""
    text = text.rstrip()
    if not text:
        return "empty"
    ends = [*("。！？”’…）】)]}>`" if language == "zh" else ".!?\"')]}>`,;:-")]
    if not text.endswith(tuple(ends)):
        return "unfinished"
    if language == "zh":
        return "repetition" if some_gram_twice(units_of(text), 13) else None
    lines = text.split("\n")
    for line in lines[:2] + lines[-3:]:
        for word in ("revised", "revision", "response", "version", "paragraph"):
            if word in line:
                return "meta_words"
    return "repetition" if some_gram_twice(text.split(), 10) else None


@settings(max_examples=300)
@given(texts, st.sampled_from(["en", "zh"]))
def test_the_reference_agrees_with_the_definition(text: str, language) -> None:
    assert reference(text, language) == by_definition(text, language)


@given(texts, st.sampled_from(["stop", "stop_string", "unknown", None]))
def test_only_the_end_of_a_turn_makes_up_for_a_missing_end(text: str, finish_reason) -> None:
    by_its_end = drop_reason(text, "en")
    expected = by_its_end if finish_reason != "stop" or by_its_end != "unfinished" else None
    found = drop_reason(text, "en", finish_reason=finish_reason)
    assert found == expected or (by_its_end == "unfinished" and found in DROPPED_ANYHOW)


@given(texts, st.sampled_from(["en", "zh"]), st.sampled_from(["length", "repetition"]))
def test_a_text_that_was_cut_off_never_passes(text: str, language, finish_reason) -> None:
    expected = {"length": "truncated", "repetition": "looping"}[finish_reason]
    assert drop_reason(text, language, finish_reason=finish_reason) == expected


@given(texts, st.text(alphabet=" \n\t\r　"), st.sampled_from(["en", "zh"]))
def test_trailing_white_space_changes_nothing(text: str, space: str, language) -> None:
    assert drop_reason(text + space, language) == drop_reason(text, language)


def test_meta_words_count_in_the_lines_at_the_edges_only() -> None:
    lines = [f"Line {number}." for number in range(9)]
    for number in range(9):
        with_word = [*lines[:number], "A version.", *lines[number + 1 :]]
        reason = "meta_words" if number in (0, 1, 6, 7, 8) else None
        assert reference("\n".join(with_word)) == reason
        assert reference("\r\n".join(with_word)) == reason
        assert reference("\r".join(with_word)) == "meta_words"  # split at \n alone
    assert reference("He was irresponsive to the conversion.") == "meta_words"
