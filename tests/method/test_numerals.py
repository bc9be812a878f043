"""Numbers in texts, read and written."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.method.numerals import (
    chinese_numeral,
    numbers_in,
    numerals_in,
    only_numerals_in,
    rewritten,
)
from tests.method.texts import read_chinese


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("about 2000 words", [2000]),
        ("about 2,000 words.", [2000]),
        ("1,500,000 words", [1500000]),
        ("2000-3000 words", [2000, 3000]),
        ("between 2,000 and 3,500 words", [2000, 3500]),
        ("2000,3000", [2000, 3000]),
        ("大约２０００字", [2000]),
        ("２，０００字至３，０００字", [2000, 3000]),
        ("2000字至3000字", [2000, 3000]),
        ("两千字", [2000]),
        ("写一篇两千五百字的文章", [2500]),
        ("两千五字", [2500]),
        ("一万二", [12000]),
        ("一万零五百", [10500]),
        ("三千零五十", [3050]),
        ("两千零五", [2005]),
        ("十二", [12]),
        ("二〇〇〇字", [2000]),
        ("两千字至三千字", [2000, 3000]),
        ("2k words", [2000]),
        ("2.5K", [2500]),
        ("2-4k", [2000, 4000]),
        ("500-1k", [500, 1000]),
        ("3千字", [3000]),
        ("1.5万字", [15000]),
        ("2000 kilos", [2000]),
        ("2.000 words", [2, 0]),  # no number of words: that two are found makes it an error
        ("about two thousand words", [2000]),
        ("Twenty-Five Hundred", [2500]),
        ("three to four thousand words", [3000, 4000]),
        ("between a hundred and two hundred words", [100, 200]),
        ("a thousand words", [1000]),
        ("three thousand, five hundred and twenty", [3000, 520]),
        ("three thousand five hundred and twenty", [3520]),
        ("兩萬個字", [20000]),
        ("三到四千字", [3000, 4000]),
        ("10 000 words", [10000]),
        ("1w字", [10000]),
        ("写一篇长文", []),
        ("a long text", []),
    ],
)
def test_numbers(text: str, expected: list[int]) -> None:
    assert numbers_in(text) == expected


@pytest.mark.parametrize("text", ["五六千字", "万千", "千百字"])
def test_what_is_no_numeral_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=f"{text[:2]}.* is no number"):
        numbers_in(text)


def test_a_number_beyond_all_texts() -> None:
    with pytest.raises(ValueError, match=r"999999999999\.\.\. is too large"):
        numbers_in("about " + "9" * 5000 + " words")


def spelled(number: int) -> str:
    """A number below 10,000 as Chinese writes it in full."""
    text, gap = "", False
    for unit, sign in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // unit % 10
        if digit:
            text += ("零" if gap and text else "") + "零一二三四五六七八九"[digit] + sign
        gap = not digit
    return text


@given(st.integers(10, 9999))
def test_every_chinese_numeral_is_read(number: int) -> None:
    assert numbers_in(f"大约{spelled(number)}字") == [number]


@given(st.integers(1, 10**6))
def test_every_number_is_read_with_and_without_commas(number: int) -> None:
    assert numbers_in(f"about {number} words") == numbers_in(f"about {number:,} words") == [number]


@given(st.integers(1, 999_999))
def test_every_number_is_read_in_english_words(number: int) -> None:
    assert numbers_in(f"about {in_english(number)} words") == [number]
    assert numbers_in(in_english(number).replace(" ", "-")) == [number]


def in_english(number: int) -> str:
    """A number below a million in English words."""
    if number >= 1000:
        rest = f" {in_english(number % 1000)}" if number % 1000 else ""
        # "a hundred and forty thousand" may also be two numbers.
        return f"{in_english(number // 1000).replace(' and ', ' ')} thousand{rest}"
    if number >= 100:
        rest = f" and {in_english(number % 100)}" if number % 100 else ""
        return f"{in_english(number // 100)} hundred{rest}"
    if number >= 20:
        tens = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
        return tens[number // 10 - 2] + (f"-{in_english(number % 10)}" if number % 10 else "")
    names = (
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen"
    )
    return names.split()[number - 1]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("hundreds of words, a few pages, several thousand people", [None, None, None]),
        ("几百字，三四千字，一两页", [None, None, None]),
        ("万一在千里之外", [1000]),
        ("字数五千", [5000]),
        ("an age of one and none", [1]),
        ("9" * 20, []),
    ],
)
def test_numbers_that_are_said_but_roughly(text: str, values: list[int | None]) -> None:
    assert [numeral.value for numeral in numerals_in(text)] == values


@given(st.text("0123456789０１２，,.kw千万三五两十百a few thousand and-", max_size=30))
def test_a_numeral_stands_where_it_says(text: str) -> None:
    places = [(numeral.start, numeral.end) for numeral in numerals_in(text)]
    assert places == sorted(places)
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert all(one[1] <= other[0] for one, other in pairwise(places))


@pytest.mark.parametrize(
    ("text", "factor", "expected"),
    [
        ("2000-3,000 words", 0.05, "100-150 words"),
        ("2000字至3000字", 0.1, "200字至300字"),
        ("2-4k words", 0.05, "100-200 words"),
        ("about 5 words", 0.01, "about 1 words"),
        ("20,000 words", 0.5, "10,000 words"),
        ("２０００字", 0.05, "１００字"),
        ("两千五百字", 0.1, "两百五十字"),
        ("一萬字", 0.01, "一百字"),
        ("two thousand words", 0.05, "100 words"),
        ("a long text", 0.5, "a long text"),
    ],
)
def test_rewriting(text: str, factor: float, expected: str) -> None:
    assert rewritten(text, only_numerals_in(text), factor) == expected


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (10, "十"),
        (25, "二十五"),
        (200, "两百"),
        (850, "八百五十"),
        (2000, "两千"),
        (2005, "两千零五"),
        (3500, "三千五百"),
        (8000, "八千"),
        (10_500, "一万零五百"),
        (12_000, "一万二千"),
        (20_000, "两万"),
    ],
)
def test_chinese_numerals(number: int, text: str) -> None:
    assert chinese_numeral(number) == text


@given(st.integers(1, 99_999_999))
def test_chinese_numerals_can_be_read_back(number: int) -> None:
    assert read_chinese(chinese_numeral(number)) == number
