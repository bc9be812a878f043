"""Lengths woven into queries: which are drawn, how they are worded, and what is accepted."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.method.language import BUILT_IN_LANGUAGES, Language
from sl_dagster.method.length_control import (
    SHARES,
    Constraint,
    ConstraintType,
    draw_constraint,
    rounded,
    weaving_drop_reason,
)
from sl_dagster.method.lengths import length_named_in
from tests.method.texts import read_chinese

PAPER = {"min_words": 2000, "max_words": 8000, "roundings": (1000, 2000)}
DEMO = {"min_words": 50, "max_words": 800, "roundings": (25, 50)}
LANGUAGES = st.sampled_from(BUILT_IN_LANGUAGES)

# What a reader takes the words to mean, written down apart from the code that chooses them.
MEANINGS: dict[ConstraintType, tuple[str, ...]] = {
    "about": ("about", "around", "roughly", "约", "左右"),
    "range": ("between", " to ", "到", "至"),
    "above": ("at least", "no fewer than", "or more", "至少", "不少于", "以上"),
    "below": ("at most", "no more than", "or fewer", "最多", "不超过", "以内"),
}


def meaning_of(text: str) -> ConstraintType:
    """The type of constraint that a text expresses."""
    found: set[ConstraintType] = {
        kind for kind, words in MEANINGS.items() if any(word in text for word in words)
    }
    if found == {"range", "above"} and "至少" in text:  # 至 alone joins the ends of a range
        found = {"above"}
    assert len(found) == 1, text
    return found.pop()


@pytest.mark.parametrize(
    ("words", "kind", "step", "numbers"),
    [
        (3456, "about", 1000, (3000,)),
        (3500, "about", 1000, (4000,)),
        (3456, "about", 2000, (4000,)),
        (3456, "range", 1000, (3000, 4000)),
        (3456, "range", 2000, (2000, 4000)),
        (3456, "above", 1000, (3000,)),
        (3456, "below", 1000, (4000,)),
        (3000, "above", 1000, (3000,)),
        (3000, "below", 1000, (3000,)),
        (3000, "range", 1000, (3000, 4000)),
        (7999, "below", 2000, (8000,)),
        (2000, "about", 2000, (2000,)),
    ],
)
def test_lengths_are_rounded_by_type(
    words: int, kind: ConstraintType, step: int, numbers: tuple[int, ...]
) -> None:
    assert rounded(words, kind, step, 2000, 8000) == numbers


@given(
    st.integers(1, 500), st.integers(1, 5000), st.integers(0, 10**6), st.integers(1, 3000),
    st.sampled_from(list(SHARES)),
)  # fmt: skip
def test_what_a_constraint_says_is_true(
    low: int, size: int, offset: int, step: int, kind: ConstraintType
) -> None:
    high = low + size
    words = low + offset % size
    numbers = rounded(words, kind, step, low, high)
    assert all(low <= number <= high for number in numbers)
    if kind == "about":
        assert abs(numbers[0] - words) <= step / 2 or numbers[0] in (low, high)
    elif kind == "range":
        assert numbers[0] <= words <= numbers[1]
        assert numbers[0] < numbers[1]
    elif kind == "above":
        assert words - step < numbers[0] <= words
    else:
        assert words <= numbers[0] < words + step


@given(LANGUAGES, st.integers(2000, 7999), st.integers(0, 10**6))
def test_the_words_say_what_the_type_says(language: Language, words: int, seed: int) -> None:
    drawn = draw_constraint(words, language, **PAPER, seed=seed)
    assert meaning_of(drawn.text) == drawn.type
    numbers = re.findall(r"\d+", drawn.text)
    if not numbers:
        assert language == "zh"
        numbers = [
            read_chinese(part)
            for part in re.findall("[一二两三四五六七八九十百千万零]+", drawn.text)
        ]
    assert tuple(int(number) for number in numbers) == drawn.words
    assert length_named_in(f"写{drawn.text}" if language == "zh" else drawn.text)
    assert draw_constraint(words, language, **PAPER, seed=seed) == drawn


@pytest.mark.parametrize("language", BUILT_IN_LANGUAGES)
def test_types_roundings_and_numerals_have_their_shares(language: Language) -> None:
    count = 20_000
    drawn = [draw_constraint(3100, language, **PAPER, seed=seed) for seed in range(count)]
    types = Counter(constraint.type for constraint in drawn)
    for kind, share in SHARES.items():
        assert abs(types[kind] / count - share) < 0.015
    # Rounded to 1,000 or to 2,000, 3,100 words become at least 3,000 or 2,000.
    above = [constraint for constraint in drawn if constraint.type == "above"]
    coarse = sum(constraint.words == (2000,) for constraint in above)
    assert abs(coarse / len(above) - 0.2) < 0.04
    in_digits = sum(bool(re.search(r"\d", constraint.text)) for constraint in drawn) / count
    assert abs(in_digits - (1.0 if language == "en" else 0.5)) < 0.015


def test_all_is_scaled_by_its_settings() -> None:
    for seed in range(200):
        numbers = draw_constraint(333, "en", **DEMO, seed=seed).words
        assert all(number % 25 == 0 and 50 <= number <= 800 for number in numbers)


QUERY = "Write a story about the old bridge of Saltmere and the people who built it."
ABOUT = Constraint("about", (3000,), "about 3000 words")
ABOVE = Constraint("above", (3000,), "3000 words or more")


@pytest.mark.parametrize(
    ("woven", "constraint", "reason"),
    [
        (f"{QUERY[:-1]} in about 3000 words.", ABOUT, None),
        ("In About\n3000 words, write" + QUERY[5:], ABOUT, None),
        (f"{QUERY} Please use about 3000 words for it.", ABOUT, None),
        (QUERY, ABOUT, "no_constraint"),
        (f"{QUERY} Use about 4000 words.", ABOUT, "no_constraint"),
        (f"{QUERY} Use about 3000 wordsmiths.", ABOUT, "no_constraint"),
        (f"{QUERY} Use 13000 words or more.", ABOVE, "no_constraint"),
        (f"{QUERY} Use 1,3000 words or more.", ABOVE, "no_constraint"),
        (f"{QUERY} Use about 3000 words, in 20 paragraphs.", ABOUT, "other_length"),
        (f"{QUERY} Use about 3000 words. Word count: 2000.", ABOUT, "other_length"),
        (f"{QUERY} Use about 3000 words or more.", ABOUT, "other_length"),
        (f"{QUERY} Use at most 3000 words or more.", ABOVE, "other_length"),
        ("Write a story in about 3000 words.", ABOUT, "query_changed"),
        ("Write about 3000 words.", ABOUT, "query_changed"),
        (f"{QUERY} Use about 3000 words. {'It was a cold night at the inn. ' * 4}", ABOUT,
         "text_added"),
    ],
)  # fmt: skip
def test_english_weavings(woven: str, constraint: Constraint, reason: str | None) -> None:
    found = weaving_drop_reason(woven, QUERY, constraint, "en", finish_reason="stop")
    assert found == reason


ZH_QUERY = "以一座老桥的口吻，写一篇回忆小镇百年变迁的散文。"


@pytest.mark.parametrize(
    ("woven", "constraint", "reason"),
    [
        ("以一座老桥的口吻，写一篇三千字左右、回忆小镇百年变迁的散文。", "三千字左右", None),
        (ZH_QUERY + "篇幅不少于3000字。", "不少于3000字", None),
        (ZH_QUERY + "篇幅不超过3000字。", "不少于3000字", "no_constraint"),
        (ZH_QUERY + "篇幅一万三千字以上。", "三千字以上", "no_constraint"),
        (ZH_QUERY + "篇幅约3000字以上。", "约3000字", "other_length"),
        (ZH_QUERY + "篇幅约3000字。字数在5000以内。", "约3000字", "other_length"),
        ("写一篇约3000字的散文。", "约3000字", "query_changed"),
        (ZH_QUERY + "篇幅约3000字。" + "桥下的流水从不停歇，" * 4, "约3000字", "text_added"),
    ],
)
def test_chinese_weavings(woven: str, constraint: str, reason: str | None) -> None:
    drawn = Constraint(meaning_of(constraint), (3000,), constraint)
    assert weaving_drop_reason(woven, ZH_QUERY, drawn, "zh", finish_reason="stop") == reason


def test_what_is_cut_off_or_in_another_language_is_not_used() -> None:
    woven = f"{QUERY[:-1]} in about 3000 words."
    assert weaving_drop_reason(woven, QUERY, ABOUT, "en", finish_reason="length") == "truncated"
    assert weaving_drop_reason(woven, QUERY, ABOUT, "zh", finish_reason="stop") == "wrong_language"


@given(LANGUAGES, st.integers(2000, 7999), st.integers(0, 10**6))
def test_every_constraint_can_be_woven_in(language: Language, words: int, seed: int) -> None:
    drawn = draw_constraint(words, language, **PAPER, seed=seed)
    query = QUERY if language == "en" else ZH_QUERY
    woven = f"{query} Write {drawn.text}." if language == "en" else f"{query}全文{drawn.text}。"
    assert weaving_drop_reason(woven, query, drawn, language, finish_reason="stop") is None


@given(LANGUAGES, st.integers(2000, 7999), st.integers(0, 10**6), st.integers(0, 10**6))
def test_another_constraint_is_never_taken_for_it(
    language: Language, words: int, seed: int, other_seed: int
) -> None:
    drawn = draw_constraint(words, language, **PAPER, seed=seed)
    other = draw_constraint(words, language, **PAPER, seed=other_seed)
    if (drawn.type, drawn.words) == (other.type, other.words):
        return
    query = QUERY if language == "en" else ZH_QUERY
    woven = f"{query} Write {other.text}." if language == "en" else f"{query}全文{other.text}。"
    assert weaving_drop_reason(woven, query, drawn, language, finish_reason="stop")
