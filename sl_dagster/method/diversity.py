"""How alike and how varied instructions are: similarity, Distinct-n, shares of kinds."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rapidfuzz import process
from rapidfuzz.distance import Indel

# A Chinese character is a token of its own, everything else goes by words; punctuation is none.
_TOKEN = re.compile(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+")
_UNKNOWN = "\0"
_CODES = 1_000_000  # within what a character can encode


def tokens(text: str) -> list[str]:
    """The tokens by which instructions are compared: lower-case words, and Chinese characters."""
    return _TOKEN.findall(text.lower())


class SimilarTexts:
    """Texts with which others are compared, by ROUGE-L.

    ROUGE-L (its F1) of two texts is twice the length of their longest common subsequence of tokens,
    divided by the sum of their lengths: 1 for equal tokens, 0 when they share none.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._texts: set[str] = set()
        self._encoded: list[str] = []
        self._codes: dict[str, str] = {}
        for text in texts:
            self.add(text)

    def __contains__(self, text: str) -> bool:
        return text in self._texts

    def add(self, text: str) -> None:
        """Add a text to compare with."""
        self._texts.add(text)
        for token in tokens(text):
            self._codes.setdefault(token, chr(1 + len(self._codes) % _CODES))
        self._encoded.append(self._encode(text))

    def most_similar(self, text: str, above: float) -> tuple[int, float] | None:
        """The text that is most like another one.

        Args:
            text: the other one.
            above: what is at most this similar does not count.

        Returns:
            Its place in the order in which the texts were added, and the similarity.
        """
        found = process.extractOne(
            self._encode(text),
            self._encoded,
            scorer=Indel.normalized_similarity,
            score_cutoff=above,
        )
        if found is None or found[1] <= above:
            return None
        return found[2], found[1]

    def _encode(self, text: str) -> str:
        """One character for each token, so that comparing texts is comparing strings."""
        return "".join(self._codes.get(token, _UNKNOWN) for token in tokens(text))


def ngrams(units: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    """Every n tokens in a row, in order."""
    return zip(*(units[start:] for start in range(n)), strict=False)


def distinct_n(texts: Iterable[str], n: int) -> float:
    """Distinct-n of a set of texts: its different n-grams of tokens, divided by all of them.

    1 when no n-gram occurs twice. It falls as a set grows, so compare sets of the same size.
    """
    count, seen = 0, set()
    for text in texts:
        for gram in ngrams(tokens(text), n):
            seen.add(gram)
            count += 1
    return len(seen) / count if count else 0.0


def mean_shares(mixtures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of mixtures, each given as the share that every one of its parts has."""
    parts = {part for mixture in mixtures for part in mixture}
    return {
        part: sum(mixture.get(part, 0.0) for mixture in mixtures) / len(mixtures) for part in parts
    }
