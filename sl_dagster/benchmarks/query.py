"""What every benchmark's queries have in common."""

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict

from sl_dagster.method.language import Language


class Query(BaseModel, ABC):
    """One query of a benchmark: a line of its file, read as it is published.

    Fields of the line that nobody needs are passed over.

    Attributes:
        title: the benchmark's name as it is written.
        asset: name of the asset that holds its scores.
        best_score: what a perfect answer scores.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    title: ClassVar[str]
    asset: ClassVar[str]
    best_score: ClassVar[float]

    @property
    @abstractmethod
    def instruction(self) -> str:
        """What the model is asked."""

    @property
    @abstractmethod
    def written_in(self) -> Language:
        """The language of the instruction."""

    @property
    @abstractmethod
    def asked(self) -> float:
        """The number of words that is asked for; the middle, where a range is."""

    @property
    @abstractmethod
    def length_wanted(self) -> str:
        """The same in words."""

    @property
    @abstractmethod
    def groups(self) -> tuple[str, str]:
        """The type and the range of lengths by which the scores are averaged, too."""

    @abstractmethod
    def score(self, words: int) -> float:
        """How well an answer of so many words follows the query, from 0 to ``best_score``."""

    @abstractmethod
    def scaled(self, factor: float) -> Self:
        """The same query asking for ``factor`` times the length, in its wording, too.

        Raises:
            ValueError: the wording does not name the length as the query's other fields do.
        """
