"""Records: what a stage writes, one row per text, and the schemas of their Parquet files.

The data model belongs here: a kind of record for each kind of stage, all of them with the same
identity and outcome. Where files lie and how they are written is ``storage/stored_stage.py``.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache, cached_property
from typing import Any, ClassVar, Self

import pyarrow as pa

from sl_dagster.method.final_set import Split
from sl_dagster.method.instructions import Kind
from sl_dagster.method.language import Language
from sl_dagster.method.length_control import ConstraintType
from sl_dagster.method.prompts import Message
from sl_dagster.method.quality import DIMENSIONS
from sl_dagster.method.words import count_words

_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_COMMENTARY = pa.struct([("before", pa.string()), ("after", pa.string())])
_JUDGE = ("model", "revision", "prompt_version", "fingerprint")
_IDENTITY = [
    ("record_id", pa.string()),
    ("parents", pa.list_(pa.string())),
    ("experiment", pa.string()),
    ("iteration", pa.int32()),
    ("stage", pa.string()),
    ("position", pa.int64()),
    ("language", pa.string()),
]
_OUTCOME = [
    ("adapter", pa.string()),
    ("attempt", pa.int32()),
    ("finish_reason", pa.string()),
    ("words", pa.int64()),
    ("characters", pa.int64()),
    ("tokens", pa.int64()),
    ("kept", pa.bool_()),
    ("drop_reason", pa.string()),
]


def _schema(*columns: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([*_IDENTITY, *columns, *_OUTCOME])


@dataclass(frozen=True, kw_only=True)
class Record(ABC):
    """What records of all kinds have: where they come from and what became of them.

    Attributes:
        schema: the columns to store.
        record_id: 16 hexadecimal digits, the same in every run with the same inputs and settings.
        parents: ids of the records it was made from.
        iteration: 0 for what stands before the first iteration (seeds, base model).
        stage: the name of the asset.
        position: its place in the stage's order.
        instruction: the instruction that the text answers, or is a plan for.
        adapter: fingerprint of the adapter that wrote it; None when no model did.
        attempt: how often the model had been asked, this time included.
        tokens: length of the text in tokens, as the engine counted; None if no model wrote it.
        finish_reason: ``stop`` or ``length``, as the engine reported.
        kept: this stage's output was good enough.
        drop_reason: why it was not.
    """

    schema: ClassVar[pa.Schema]

    record_id: str
    parents: tuple[str, ...] = ()
    experiment: str
    iteration: int
    stage: str
    position: int
    language: Language
    instruction: str | None = None
    adapter: str | None = None
    attempt: int | None = None
    finish_reason: str | None = None
    tokens: int | None = None
    kept: bool = True
    drop_reason: str | None = None

    @property
    @abstractmethod
    def written(self) -> str:
        """The text that counts: its length is the record's."""

    @property
    def question(self) -> str | None:
        """What the text answers."""
        return self.instruction

    @property
    @abstractmethod
    def content(self) -> list[Any]:
        """What the next stage reads of it, for a digest, as JSON-serialisable values."""

    @cached_property
    def words(self) -> int:
        """Length of what was written, in words."""
        return count_words(self.written, self.language)

    @cached_property
    def characters(self) -> int:
        """Length of what was written, in characters."""
        return len(self.written)

    def as_row(self) -> dict[str, Any]:
        """The record as a mapping of plain values, the way journals and Parquet take it."""
        return {name: getattr(self, name) for name in self.schema.names}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The inverse of ``as_row``; what the row lacks is as it is by default."""
        record = cls(**{name: _frozen(row[name]) for name in _columns(cls) if name in row})
        # Counted when it was written; to count again would cost more than reading does.
        vars(record).update(words=row["words"], characters=row["characters"])
        return record


@dataclass(frozen=True, kw_only=True)
class _OneText(Record):
    """A record whose whole is one text."""

    text: str

    @property
    def written(self) -> str:
        return self.text

    @property
    def content(self) -> list[Any]:
        return _content(self, text=self.text)


@dataclass(frozen=True, kw_only=True)
class Text(_OneText):
    """A text of the loop: an instruction, a plan, a response, a prefix, a document.

    Attributes:
        text: what the stage made.
        initial_response: in extension stages, the response that the extension started from.
        response: in stage 1, the text whose first half was given to the Extender.
        kind: the kind of writing, if the seed file says.
        mentions, missing_mentions: held-out instructions only: what must be named, and what is not.
        prefix_characters: stage 2 only: how much of the text is the prefix that it was begun with:
            in the first attempt the parent's, in any other one of its own.
        commentary: the model's remarks about its writing that were cut off: what stood ``before``
            the text and ``after`` it. None if nothing was.
    """

    schema = _schema(
        ("instruction", pa.string()),
        ("initial_response", pa.string()),
        ("response", pa.string()),
        ("text", pa.string()),
        ("kind", pa.string()),
        ("mentions", pa.list_(pa.string())),
        ("missing_mentions", pa.list_(pa.string())),
        ("prefix_characters", pa.int64()),
        ("commentary", _COMMENTARY),
    )

    initial_response: str | None = None
    response: str | None = None
    kind: Kind | None = None
    mentions: tuple[str, ...] | None = None
    missing_mentions: tuple[str, ...] | None = None
    prefix_characters: int | None = None
    commentary: dict[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Score(_OneText):
    """A model's answer to a query of a benchmark, with its score.

    Attributes:
        text: the answer.
        model: the name of the model that wrote it.
        type, range: the query's groups: kind of constraint or of writing, and range of lengths.
        constraint: the length that the query asks for, as it says it.
        asked: the same as a number of words; the middle of a range.
        score: how well the answer follows it, as the benchmark measures that.
    """

    schema = _schema(
        ("instruction", pa.string()),
        ("text", pa.string()),
        ("model", pa.string()),
        ("type", pa.string()),
        ("range", pa.string()),
        ("constraint", pa.string()),
        ("asked", pa.float64()),
        ("score", pa.float64()),
    )

    model: str
    type: str
    range: str
    constraint: str
    asked: float
    score: float


@dataclass(frozen=True, kw_only=True)
class Judgement(_OneText):
    """A judge's answer about an answer, with the scores that it gives.

    Attributes:
        text: the judge's answer as it came.
        judge: its model and revision, the version of what it was asked, and a digest of all that
            its scores depend on.
        scores: from 1 to 10, by dimension; None if it gave none.
    """

    schema = _schema(
        ("instruction", pa.string()),
        ("text", pa.string()),
        ("judge", pa.struct([(name, pa.string()) for name in _JUDGE])),
        ("scores", pa.struct([(name, pa.int32()) for name in DIMENSIONS])),
    )

    judge: dict[str, str]
    scores: dict[str, int] | None


@dataclass(frozen=True, kw_only=True)
class Example(Record):
    """A training example of a role.

    Attributes:
        prompt, completion: as chat messages.
    """

    schema = _schema(("instruction", pa.string()), ("prompt", _MESSAGES), ("completion", _MESSAGES))

    prompt: tuple[Message, ...]
    completion: tuple[Message, ...]

    @property
    def written(self) -> str:
        return self.completion[-1]["content"]

    @property
    def content(self) -> list[Any]:
        return _content(self, prompt=self.prompt, completion=self.completion)


@dataclass(frozen=True, kw_only=True)
class AlignedExample(Example):
    """A training example of the aligned model.

    Attributes:
        split: ``train`` or ``validation``.
    """

    schema = Example.schema.append(pa.field("split", pa.string()))

    split: Split


@dataclass(frozen=True, kw_only=True)
class Pair(Record):
    """A query and its response, as the final data set has them.

    Attributes:
        query: what the response answers: the instruction, with or without a length.
        response: the text.
        kind: the kind of the seeds that the instruction was made up from, if they are all of one.
        split: ``train`` or ``validation``.
        source_id, source_stage, source_iteration: the record that the response comes from;
            iteration 0 if it was collected after the last one.
        constraint: the length that is woven into the query, as it stands there.
        constraint_type, constraint_words: its type and its numbers.
    """

    schema = _schema(
        ("query", pa.string()),
        ("response", pa.string()),
        ("instruction", pa.string()),
        ("kind", pa.string()),
        ("split", pa.string()),
        ("source_id", pa.string()),
        ("source_stage", pa.string()),
        ("source_iteration", pa.int32()),
        ("constraint", pa.string()),
        ("constraint_type", pa.string()),
        ("constraint_words", pa.list_(pa.int64())),
    )

    query: str
    response: str
    kind: Kind | None = None
    split: Split
    source_id: str
    source_stage: str
    source_iteration: int
    constraint: str | None = None
    constraint_type: ConstraintType | None = None
    constraint_words: tuple[int, ...] | None = None

    @property
    def written(self) -> str:
        return self.response

    @property
    def question(self) -> str:
        return self.query

    @property
    def content(self) -> list[Any]:
        return [*_content(self), self.query, self.response, self.split]


_KINDS: tuple[type[Record], ...] = (Text, Score, Judgement, Example, AlignedExample, Pair)


def kind_of(columns: Iterable[str]) -> type[Record]:
    """The kind of the records that are stored with these columns.

    Files of earlier versions may lack columns that a kind has today.

    Raises:
        ValueError: no kind has them all.
    """
    found = [kind for kind in _KINDS if set(columns) <= set(kind.schema.names)]
    if not found:
        raise ValueError(f"no kind of record has the columns {', '.join(columns)}")
    return min(found, key=lambda kind: len(kind.schema.names))


def _content(
    record: Record,
    text: str | None = None,
    prompt: tuple[Message, ...] | None = None,
    completion: tuple[Message, ...] | None = None,
) -> list[Any]:
    # The digests that are stored have a place for each of these, whatever the kind.
    return [record.record_id, text, prompt, completion, record.kept]


@cache
def _columns(kind: type[Record]) -> list[str]:
    return [field.name for field in fields(kind)]


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
