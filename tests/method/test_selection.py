"""Length-biased selection."""

import random

from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.method.selection import draw_by_rank


def test_the_shortest_fifth_never_stays_and_the_longest_almost_always() -> None:
    lengths = list(range(10_000))
    stays = draw_by_rank(lengths, seed=1)
    assert not any(stays[:2_000])
    assert sum(stays[-1_000:]) > 990


def test_about_59_5_percent_stay() -> None:
    draw = random.Random(0)
    lengths = [draw.randrange(10**9) for _ in range(50_000)]
    share = sum(draw_by_rank(lengths, seed=2)) / len(lengths)
    assert abs(share - 0.595) < 0.01


def test_equal_lengths_share_the_rank_of_the_first() -> None:
    # All have rank 1, so u > 2 never holds.
    assert draw_by_rank([7] * 100, seed=3) == [False] * 100


@given(st.lists(st.integers(min_value=0, max_value=50)), st.integers())
def test_repeatable_and_one_flag_each(lengths: list[int], seed: int) -> None:
    first = draw_by_rank(lengths, seed)
    assert first == draw_by_rank(lengths, seed)
    assert len(first) == len(lengths)


@given(st.lists(st.integers(min_value=0, max_value=50)), st.integers())
def test_the_flags_agree_with_the_definition(lengths: list[int], seed: int) -> None:
    draw, ascending = random.Random(seed), sorted(lengths)
    expected = []
    for length in lengths:
        rank = 1 - ascending.index(length) / len(lengths)
        expected.append(draw.random() > 2 * rank**3)
    assert draw_by_rank(lengths, seed) == expected
