"""The final data set: what of all that the loop leaves behind goes into it (paper, section 3.5)."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Literal, TypeVar

from sl_dagster.method.diversity import tokens
from sl_dagster.method.instructions import Kind

Split = Literal["train", "validation"]
_Response = TypeVar("_Response")


def collect(
    iterations: Iterable[Iterable[Iterable[_Response]]],
) -> Iterator[_Response]:
    """All responses of all iterations, the initial ones of each before the extended ones.

    Args:
        iterations: for each iteration its selected initial and its selected extended responses (a
            baseline has only the latter), each with the instruction it answers. They are read one
            at a time.
    """
    for stages in iterations:
        for responses in stages:
            yield from responses


class SeenPairs:
    """The pairs that are in the data set already, remembered by their digests."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def add(self, query: str, response: str) -> bool:
        """Add a pair; False if it is there already, but for its white space."""
        words = " ".join(query.split()), " ".join(response.split())
        digest = hashlib.sha256("\0".join(words).encode()).digest()
        new = digest not in self._digests
        self._digests.add(digest)
        return new


def split_of(instruction: str, validation_share: float, seed: int) -> Split:
    """On which side of the split an instruction's pairs stand.

    It follows from the instruction alone, so that all of its responses, of whatever iteration, and
    those of its duplicates (alike but for case, punctuation and white space) are on one side, and
    stay there when the data set grows.

    Args:
        instruction: as it was before any length was woven into it.
        validation_share: share of the instructions that are held back, in [0, 1].
        seed: another seed is another choice.
    """
    same = " ".join(tokens(instruction))
    digest = hashlib.sha256(f"{seed}\0{same}".encode()).digest()
    drawn = int.from_bytes(digest[:8]) / (1 << 64)
    return "validation" if drawn < validation_share else "train"


def common_kind(kinds: Iterable[Kind | None]) -> Kind | None:
    """The kind of writing that all of them are of; None if they differ or one is not known."""
    different = set(kinds)
    return different.pop() if len(different) == 1 else None
