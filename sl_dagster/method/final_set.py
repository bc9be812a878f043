"""Collecting what the loop leaves behind: the final data set (paper, section 3.5)."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Pair(NamedTuple):
    """One example of the final data set."""

    query: str
    response: str


def collect(iterations: Iterable[tuple[Iterable[Pair], Iterable[Pair]]]) -> Iterator[Pair]:
    """All initial and all extended responses of all iterations.

    Args:
        iterations: for each iteration its selected initial and its selected extended responses,
            each with the instruction it answers. They are read one at a time.
    """
    for initial, extended in iterations:
        yield from initial
        yield from extended
