"""What becomes of an Extender's outputs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.method.extension import (
    extension_drop_reason,
    has_grown,
    prefix_drop_reason,
    reasons_against,
)
from sl_dagster.method.responses import response_drop_reason
from sl_dagster.method.words import count_words
from tests.method.texts import texts

TEN = "one two three four five six seven eight nine ten"


@pytest.mark.parametrize(
    ("prefix", "finish_reason", "reason"),
    [
        ("It may end anywhere, even in the middle of", "stop", None),
        (" \n", "stop", "empty"),
        (f"{TEN} and {TEN} again", "stop", "repetition"),
        ("Here is the revised text:\n\nThe bridge is old. It has stood", "stop", "meta_words"),
        # What the limit cut off is no part of the prefix, whose end is not kept.
        ("It is done.", "length", None),
        (f"{TEN} and {TEN} again", "length", "repetition"),
        ("It is done.", "repetition", "looping"),
    ],
)
def test_prefixes(prefix: str, finish_reason: str, reason: str | None) -> None:
    assert prefix_drop_reason(prefix, "en", finish_reason=finish_reason) == reason


@pytest.mark.parametrize(
    ("prefix", "finish_reason", "reason"),
    [
        ("It is done.", "length", "truncated"),
        ("It is done.", "repetition", "looping"),
        ("Here is the revised text:", "stop", None),
        (f"{TEN} and {TEN}", "stop", "repetition"),
    ],
)
def test_prefixes_by_the_rules_of_the_reference(prefix, finish_reason, reason) -> None:
    found = prefix_drop_reason(prefix, "en", finish_reason=finish_reason, preset="reference")
    assert found == reason


def test_an_output_must_surpass_the_best_so_far() -> None:
    def reason(output: str, finish_reason: str | None = "stop") -> str | None:
        return extension_drop_reason(
            output, "Three words here.", "en", finish_reason=finish_reason, preset="default"
        )

    assert reason("Now there are four.") is None
    assert reason("Not any more.") == "not_longer"
    assert reason("More words, but without an end", None) == "unfinished"


@given(texts, texts, st.sampled_from(["en", "zh"]), st.sampled_from(["default", "reference"]))
def test_the_filter_comes_first_and_then_the_length(output, best, language, preset) -> None:
    found = extension_drop_reason(output, best, language, finish_reason="stop", preset=preset)
    plain = response_drop_reason(output, language, finish_reason="stop", preset=preset)
    longer = count_words(output) > count_words(best)
    assert found == (plain or (None if longer else "not_longer"))


@pytest.mark.parametrize(
    ("extended", "initial", "grown"), [(120, 100, False), (121, 100, True), (1, 0, True)]
)
def test_growth_is_more_than_the_threshold(extended: int, initial: int, grown: bool) -> None:
    assert has_grown(extended, initial, 1.2) is grown


def reasons_of_one_to_forty_words(growth: float, seed: int | None) -> list[str | None]:
    """Why responses of 1 to 40 words are not trained on, each of which had 10 words before."""
    words = list(range(1, 41))
    return [*reasons_against(words, [10] * 40, [5 * count for count in words], growth, seed)]


def test_what_has_not_grown_goes_and_of_the_rest_the_shorter_ones_do() -> None:
    reasons = reasons_of_one_to_forty_words(1.2, seed=1)
    assert reasons[:12] == ["not_grown"] * 12
    grown = reasons[12:]
    assert "not_grown" not in grown
    assert set(grown[:5]) == {"selection"}  # the shortest fifth never stays
    assert grown[-5:] == [None] * 5


def test_without_a_preference_all_that_have_grown_stay() -> None:
    assert reasons_of_one_to_forty_words(1.2, None) == ["not_grown"] * 12 + [None] * 28
    assert reasons_of_one_to_forty_words(0.0, None) == [None] * 40
