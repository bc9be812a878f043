"""Where long texts decay: how repetitive and how varied each fifth of a text is.

A model that writes more than it has learned to begins to repeat itself, mostly towards the end.
Every measure takes time that grows with the length of the text alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sl_dagster.method.diversity import ngrams, tokens

PARTS = 5
MIN_PART_TOKENS = 10
_REPEATED_NGRAM = 4
_NGRAM = 2


@dataclass(frozen=True)
class PartQuality:
    """Measures of one fifth of a text, or their means over many texts.

    Attributes:
        repetition: share of its 4-grams of tokens that have occurred before in the text.
        distinct_2: its different bigrams of tokens, divided by all of them (Distinct-2). It is
            lower the longer the fifth is, so compare the fifths of a text, not texts.
        self_similarity: mean Jaccard similarity of its set of bigrams with those of the other
            fifths: 0 if they share none, 1 if all fifths say the same.
    """

    repetition: float
    distinct_2: float
    self_similarity: float


@dataclass(frozen=True)
class Decay:
    """The fifths of a set of texts.

    Attributes:
        texts: how many were measured.
        too_short: how many were not, for having fewer than 50 tokens.
        parts: the means for each fifth, the beginning first; empty if no text was long enough.
    """

    texts: int
    too_short: int
    parts: tuple[PartQuality, ...]


def decay_of(texts: Iterable[str]) -> Decay:
    """Measure a set of texts, read one at a time."""
    measured, too_short = [], 0
    for text in texts:
        parts = part_qualities(text)
        if parts:
            measured.append(parts)
        else:
            too_short += 1
    means = tuple(_mean(same_place) for same_place in zip(*measured, strict=True))
    return Decay(len(measured), too_short, means)


def part_qualities(text: str) -> list[PartQuality]:
    """Measure each fifth of a text, the beginning first.

    Fifths are cut by tokens (words in lower case, Chinese characters; no punctuation) and are
    equally long but for one token. An n-gram belongs to the fifth in which it ends.

    Returns:
        Five measures, or none for a text of fewer than 50 tokens.
    """
    units = tokens(text)
    if len(units) < PARTS * MIN_PART_TOKENS:
        return []
    ends = [len(units) * part // PARTS for part in range(PARTS + 1)]
    parts = [units[start:end] for start, end in pairwise(ends)]
    bigrams = [list(ngrams(part, _NGRAM)) for part in parts]
    sets = [set(grams) for grams in bigrams]
    return [
        PartQuality(repetition, len(unique) / len(grams), similarity)
        for repetition, unique, grams, similarity in zip(
            _repetitions(units, ends), sets, bigrams, _self_similarities(sets), strict=True
        )
    ]


def _repetitions(units: Sequence[str], ends: Sequence[int]) -> list[float]:
    """For each part, the share of its n-grams that the text has had before."""
    seen: set[tuple[str, ...]] = set()
    repeated, counts = [0] * PARTS, [0] * PARTS
    part = 0
    for last, gram in enumerate(ngrams(units, _REPEATED_NGRAM), start=_REPEATED_NGRAM - 1):
        while last >= ends[part + 1]:
            part += 1
        counts[part] += 1
        repeated[part] += gram in seen
        seen.add(gram)
    return [again / count for again, count in zip(repeated, counts, strict=True)]


def _self_similarities(sets: Sequence[set]) -> list[float]:
    """For each set, its mean Jaccard similarity with the others."""
    similarities = [[len(a & b) / len(a | b) for b in sets if b is not a] for a in sets]
    return [sum(row) / len(row) for row in similarities]


def _mean(parts: Sequence[PartQuality]) -> PartQuality:
    def mean(values: Iterable[float]) -> float:
        return sum(values) / len(parts)

    return PartQuality(
        mean(part.repetition for part in parts),
        mean(part.distinct_2 for part in parts),
        mean(part.self_similarity for part in parts),
    )
