"""Choosing records by length: the longer a response, the likelier it stays (paper, section 3.3)."""

import random
from bisect import bisect_left
from collections.abc import Sequence


def draw_by_rank(lengths: Sequence[int], seed: int) -> list[bool]:
    """Length-biased selection: which of N records stay.

    A record's rank is 1 - (index of the first equal length in ascending order) / N, so 1 for the
    shortest; it stays when u > 2 rank^3 with u uniform in [0, 1). The longest stay almost surely,
    the shortest fifth never; about 59.5 % stay in all.

    Args:
        lengths: the records' lengths in characters.
        seed: makes the draw repeatable; record k always gets the k-th number of the seed's stream.

    Returns:
        One flag per record, in order.
    """
    ascending = sorted(lengths)
    draw = random.Random(seed)
    return [
        draw.random() > 2 * (1 - bisect_left(ascending, length) / len(ascending)) ** 3
        for length in lengths
    ]
