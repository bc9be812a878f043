"""LongBench-Write's length score S_l (LongWriter, arXiv 2408.07055).

Its file, ``longbench_write.jsonl``, is published with LongWriter: 120 queries in Chinese and
English that ask for 100 to 30,000 words. Its quality score is a judge model's and not measured
here.
"""

from typing import Annotated, ClassVar, Self

from pydantic import Field

from sl_dagster.benchmarks.query import Query
from sl_dagster.method.language import Language, detect_language
from sl_dagster.method.lengths import scaled_words

# The ranges by which LongWriter reports its scores.
_RANGES = ((500, "0-500"), (2_000, "500-2k"), (4_000, "2-4k"))
_LONGEST = "4k+"


def length_score(asked: int, words: int) -> float:
    """S_l, from 0 to 100.

    Longer than asked: 100 max(0, 1 - (words / asked - 1) / 3); shorter:
    100 max(0, 1 - (asked / words - 1) / 2).
    """
    if words >= asked:
        return 100 * max(0.0, 1 - (words / asked - 1) / 3)
    if words == 0:
        return 0.0
    return 100 * max(0.0, 1 - (asked / words - 1) / 2)


class LongBenchWriteQuery(Query):
    """A line of the LongBench-Write file.

    Attributes:
        prompt: what the model is asked.
        type: kind of writing.
        length: number of words that is asked for.
    """

    title: ClassVar[str] = "LongBench-Write"
    asset: ClassVar[str] = "longbench_scores"
    best_score: ClassVar[float] = 100.0

    prompt: Annotated[str, Field(min_length=1)]
    type: str
    length: Annotated[int, Field(ge=1, lt=100_000_000, strict=True)]

    @property
    def instruction(self) -> str:
        return self.prompt

    @property
    def written_in(self) -> Language:
        return detect_language(self.prompt)

    @property
    def asked(self) -> float:
        return self.length

    @property
    def length_wanted(self) -> str:
        return f"{self.length} words"

    @property
    def groups(self) -> tuple[str, str]:
        found = (name for end, name in _RANGES if self.length < end)
        return self.type, next(found, _LONGEST)

    def score(self, words: int) -> float:
        return length_score(self.length, words)

    def scaled(self, factor: float) -> Self:
        prompt = scaled_words(self.prompt, [self.length], factor)
        length = max(1, round(factor * self.length))
        return self.model_copy(update={"length": length, "prompt": prompt})
