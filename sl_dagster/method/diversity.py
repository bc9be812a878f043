"""How alike and how varied instructions are: similarity, Distinct-n, shares of kinds."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast
from zlib import crc32

from rapidfuzz import process
from rapidfuzz.distance import Indel

# A Chinese character is a token of its own, everything else goes by words; punctuation is none.
_TOKEN = re.compile(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+")
_CODES = 1_000_000  # within what a character can encode
_ROWS, _HASHES = 20, 5  # of MinHash: texts that share all hashes of one row are compared


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
        self._codes = _Codes()
        for text in texts:
            self.add(text)

    def __contains__(self, text: str) -> bool:
        return text in self._texts

    def add(self, text: str) -> None:
        """Add a text to compare with."""
        self._texts.add(text)
        self._encoded.append(self._codes.encode(text))

    def most_similar(self, text: str, above: float) -> tuple[int, float] | None:
        """The text that is most like another one.

        Args:
            text: the other one.
            above: what is at most this similar does not count.

        Returns:
            Its place in the order in which the texts were added, and the similarity.
        """
        return _most_similar(self._codes.encode(text), self._encoded, above)


def most_similar_earlier(texts: Iterable[str], above: float) -> list[tuple[int, float] | None]:
    """For each text the most similar one before it, in a time that hardly grows with their square.

    Only texts that MinHash finds alike are compared. Of instructions that were damaged word by word
    it misses one of four pairs with a similarity of 0.7 to 0.75, one of ten up to 0.8, one of forty
    up to 0.85 and hardly any above (``bench/seeds.py``). Equal tokens are always found.

    Args:
        texts: any number.
        above: what is at most this similar does not count.

    Returns:
        For each text, in order, as ``SimilarTexts.most_similar``.
    """
    from datasketch import MinHash, MinHashLSH  # imports scipy, which nothing else here needs

    codes = _Codes()
    encoded = [codes.encode(text) for text in texts]
    # A code may be a surrogate, which is no character to others.
    units = ([code.encode(errors="surrogatepass") for code in set(one)] for one in encoded)
    sketches = MinHash.generator(units, num_perm=_ROWS * _HASHES, hashfunc=crc32)
    index = MinHashLSH(num_perm=_ROWS * _HASHES, params=(_ROWS, _HASHES))
    found = []
    for place, (one, sketch) in enumerate(zip(encoded, sketches, strict=True)):
        places = cast(list[int], index.query(sketch))
        alike = {earlier: encoded[earlier] for earlier in places}
        found.append(_most_similar(one, alike, above))
        index.insert(place, sketch, check_duplication=False)
    return found


class _Codes(dict[str, str]):
    """A character for each token, so that comparing texts is comparing strings."""

    def __missing__(self, token: str) -> str:
        return self.setdefault(token, chr(len(self) % _CODES))

    def encode(self, text: str) -> str:
        return "".join([self[token] for token in tokens(text)])


def _most_similar(
    one: str, others: Sequence[str] | Mapping[int, str], above: float
) -> tuple[int, float] | None:
    found = process.extractOne(one, others, scorer=Indel.normalized_similarity, score_cutoff=above)
    return None if found is None or found[1] <= above else (found[2], found[1])


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


def kinds_by_origin(
    texts: Iterable[tuple[str, Sequence[str], str | None]],
) -> dict[str, dict[str, float]]:
    """Of what kinds texts are, by what they go back to, each as the shares of a mixture.

    Nobody says of what kind a self-made text is. Of those that it was made from it is known, as
    their own kind if they have no origin, and in the same way as the mixture of theirs if they do.

    Args:
        texts: the id of each, the ids of what it was made from (earlier ones), and its own kind.
    """
    kinds: dict[str, dict[str, float]] = {}
    for name, origin, kind in texts:
        own = {kind: 1.0} if kind else {}
        kinds[name] = mean_shares([kinds[one] for one in origin]) if origin else own
    return kinds
