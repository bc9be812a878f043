"""LonGen: does an answer have the length that was asked for (paper, section 4.1)?

240 queries in Chinese and English ask for about, between, more than or less than some thousand
words. The scores are the paper's; they are 1 in a band and fall off linearly on both sides of it.
"""

from functools import cached_property
from typing import ClassVar, Literal, NamedTuple, Self, get_args

from pydantic import field_validator, model_validator

from sl_dagster.benchmarks.query import Query
from sl_dagster.method.language import Language
from sl_dagster.method.length_control import ConstraintType
from sl_dagster.method.lengths import scaled_words
from sl_dagster.method.numerals import numbers_in, only_numerals_in, rewritten

CONSTRAINT_TYPES: tuple[ConstraintType, ...] = get_args(ConstraintType)


class Band(NamedTuple):
    """The numbers of words, both inclusive, that follow a constraint to the letter."""

    low: float
    high: float


def band_of(type: ConstraintType, constraint: str) -> Band:
    """The band of a constraint.

    Args:
        type: its kind.
        constraint: its wording, such as "about 2000 words", "2000字至3000字" or "两千字".

    Raises:
        ValueError: it does not name one number above 0 (a ``range``: two, the smaller first).
    """
    numbers = numbers_in(constraint)
    expected = 2 if type == "range" else 1
    if len(numbers) != expected or min(numbers) < 1:
        found = ", ".join(map(str, numbers)) or "none"
        count = "two numbers" if expected == 2 else "one number"
        raise ValueError(f"{type!r} needs {count} above 0 in {constraint!r}, found {found}")
    low, high = numbers[0], numbers[-1]
    if low > high:
        raise ValueError(f"the range {constraint!r} ends before it begins")
    if type == "range":
        return Band(low, high)
    if type == "about":
        return Band(0.8 * low, 1.2 * low)
    return Band(low, 1.5 * low) if type == "above" else Band(0.5 * low, low)


def length_score(words: int, band: Band) -> float:
    """How well a number of words follows a constraint: 1 in its band, 0 far from it.

    Shorter than the low end a: max(0, 2 words / a - 1); longer than the high end b:
    max(0, 3 - 2 words / b).
    """
    if words < band.low:
        return max(0.0, 2 * words / band.low - 1)
    if words > band.high:
        return max(0.0, 3 - 2 * words / band.high)
    return 1.0


class LonGenQuery(Query):
    """A line of the LonGen file.

    Attributes:
        language: of the query.
        range: of lengths: "2-4k", "4-6k" or "6-8k".
        type: kind of the constraint.
        constraint: the length that the query asks for.
        query: what the model is asked.
    """

    title: ClassVar[str] = "LonGen"
    asset: ClassVar[str] = "longen_scores"
    best_score: ClassVar[float] = 1.0

    language: Literal["en", "zh"]  # those in whose words a length is understood
    range: str
    type: ConstraintType
    constraint: str
    query: str

    @field_validator("query")
    @classmethod
    def _not_empty(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("there is no text in it")
        return value

    @model_validator(mode="after")
    def _check_constraint(self) -> Self:
        band_of(self.type, self.constraint)
        return self

    @cached_property
    def band(self) -> Band:
        """The numbers of words that follow the constraint."""
        return band_of(self.type, self.constraint)

    @property
    def instruction(self) -> str:
        return self.query

    @property
    def written_in(self) -> Language:
        return self.language

    @property
    def asked(self) -> float:
        numbers = numbers_in(self.constraint)
        return sum(numbers) / len(numbers)

    @property
    def length_wanted(self) -> str:
        return self.constraint

    @property
    def groups(self) -> tuple[str, str]:
        return self.type, self.range

    def score(self, words: int) -> float:
        return length_score(words, self.band)

    def scaled(self, factor: float) -> Self:
        query = scaled_words(self.query, numbers_in(self.constraint), factor)
        constraint = rewritten(self.constraint, only_numerals_in(self.constraint), factor)
        # Not model_copy, which would take the band over as well.
        return self.model_validate(self.model_dump() | {"constraint": constraint, "query": query})
