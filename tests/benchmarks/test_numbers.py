"""The numbers that a length constraint names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.benchmarks.numbers import numbers_in, scale_numbers


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


@pytest.mark.parametrize(
    ("text", "factor", "expected"),
    [
        ("2000-3,000 words", 0.05, "100-150 words"),
        ("2000字至3000字", 0.1, "200字至300字"),
        ("2-4k words", 0.05, "100-200 words"),
        ("about 5 words", 0.01, "about 1 words"),
        ("a long text", 0.5, "a long text"),
    ],
)
def test_scaling(text: str, factor: float, expected: str) -> None:
    assert scale_numbers(text, factor) == expected
