"""What one text has that another had not."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from rapidfuzz.distance import LCSseq

# A word with the white space after it; Chinese has no spaces, so there each character by itself.
_WORDS = re.compile(r"[\u3000-\u9fff\uff00-\uffef]\s*|[^\s\u3000-\u9fff\uff00-\uffef]+\s*|\s+")
_SHORT = 3


@dataclass(frozen=True)
class Piece:
    """A stretch of a text.

    Attributes:
        text: the stretch; all pieces together are the whole text.
        new: whether the text before had it not.
    """

    text: str
    new: bool


def marked(text: str, before: str) -> list[Piece]:
    """Divide a text into what it took over from the text before and what is new.

    Words are compared in order. Three words or fewer in the midst of new ones count as new, too:
    everyday words are in every text, and a mark that stops at each of them cannot be read.
    """
    words = _WORDS.findall(text)
    new = [True] * len(words)
    bare = [word.strip() for word in words]
    for block in LCSseq.opcodes([word.strip() for word in _WORDS.findall(before)], bare):
        if block.tag == "equal":
            new[block.dest_start : block.dest_end] = [False] * (block.dest_end - block.dest_start)
    flags = _without_short_runs(new)
    pairs = zip(words, flags, strict=True)
    return [
        Piece("".join(word for word, _ in group), is_new)
        for is_new, group in groupby(pairs, key=lambda pair: pair[1])
    ]


def _without_short_runs(new: list[bool]) -> Iterator[bool]:
    runs = [(is_new, len(list(group))) for is_new, group in groupby(new)]
    for place, (is_new, length) in enumerate(runs):
        inside = 0 < place < len(runs) - 1
        swallowed = not is_new and inside and length <= _SHORT
        yield from [is_new or swallowed] * length
