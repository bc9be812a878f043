"""Does an answer belong to its instruction? Measured by words alone, with nothing to download.

Both are compared as TF-IDF vectors over the words of the instructions: a word that few of them have
counts more, one that all have or none has does not count. The longer an answer, the more common
words it has, so the cosine by itself depends on the length; the rank of an answer's own instruction
among all others does not, because all are compared with the same answer.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sl_dagster.method.diversity import tokens

Vector = Mapping[str, float]


@dataclass(frozen=True)
class Relevance:
    """How an answer stands to its instruction.

    Attributes:
        cosine: of their TF-IDF vectors: 0 if they share no word, 1 if they are made of the same.
        rank: of the instruction among all instructions by this cosine: 1 if none is more like the
            answer. Where they share no word, it is the last.
    """

    cosine: float
    rank: int


def relevances(instructions: Sequence[str], answers: Sequence[str]) -> list[Relevance]:
    """Compare each answer with the instruction at its place, and with all others.

    Args:
        instructions: those that were answered, at least one.
        answers: as many.

    Raises:
        ValueError: there are not as many answers as instructions.
    """
    counts = [Counter(tokens(instruction)) for instruction in instructions]
    found_in = Counter(word for count in counts for word in count)
    weights = {word: math.log(len(counts) / found_in[word]) for word in found_in}
    vectors = [_vector(count, weights) for count in counts]
    result = []
    for place, (_, answer) in enumerate(zip(instructions, answers, strict=True)):
        written = _vector(Counter(tokens(answer)), weights)
        cosines = [_dot(written, vector) for vector in vectors]
        own = cosines[place]
        better = sum(cosine > own for cosine in cosines)
        result.append(Relevance(own, 1 + better if own else len(instructions)))
    return result


def _vector(counts: Counter[str], weights: Mapping[str, float]) -> Vector:
    """A text as a vector of length 1 (0 if it has none of the words that count)."""
    vector = {
        word: (1 + math.log(count)) * weights[word]
        for word, count in counts.items()
        if word in weights
    }
    length = math.sqrt(sum(value * value for value in vector.values()))
    return {word: value / length for word, value in vector.items() if length}


def _dot(a: Vector, b: Vector) -> float:
    shorter, longer = sorted((a, b), key=len)
    return sum(value * longer[word] for word, value in shorter.items() if word in longer)
