"""Records: what a stage writes, one row per text, and the schema of their Parquet files.

The data model belongs here. Where files lie and how they are written is resources/stage_store.py.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from sl_dagster.method.final_set import Split
from sl_dagster.method.instructions import Kind
from sl_dagster.method.language import Language
from sl_dagster.method.length_control import ConstraintType
from sl_dagster.method.prompts import Message
from sl_dagster.method.quality import DIMENSIONS
from sl_dagster.method.words import count_words

_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))

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
TEXT_SCHEMA = pa.schema(
    [
        *_IDENTITY,
        ("instruction", pa.string()),
        ("initial_response", pa.string()),
        ("response", pa.string()),
        ("text", pa.string()),
        ("kind", pa.string()),
        ("mentions", pa.list_(pa.string())),
        ("missing_mentions", pa.list_(pa.string())),
        ("prefix_characters", pa.int64()),
        *_OUTCOME,
    ]
)
SCORE_SCHEMA = pa.schema(
    [
        *_IDENTITY,
        ("instruction", pa.string()),
        ("text", pa.string()),
        ("model", pa.string()),
        ("type", pa.string()),
        ("range", pa.string()),
        ("constraint", pa.string()),
        ("asked", pa.float64()),
        ("score", pa.float64()),
        *_OUTCOME,
    ]
)
JUDGEMENT_SCHEMA = pa.schema(
    [
        *_IDENTITY,
        ("instruction", pa.string()),
        ("text", pa.string()),
        ("judge", pa.struct([(name, pa.string()) for name in _JUDGE])),
        ("scores", pa.struct([(name, pa.int32()) for name in DIMENSIONS])),
        *_OUTCOME,
    ]
)
SFT_SCHEMA = pa.schema(
    [
        *_IDENTITY,
        ("instruction", pa.string()),
        ("prompt", _MESSAGES),
        ("completion", _MESSAGES),
        *_OUTCOME,
    ]
)
PAIR_SCHEMA = pa.schema(
    [
        *_IDENTITY,
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
        *_OUTCOME,
    ]
)
ALIGNED_SFT_SCHEMA = SFT_SCHEMA.append(pa.field("split", pa.string()))


@dataclass(frozen=True, kw_only=True)
class Record:
    """One text of one stage, with where it came from and what became of it.

    Attributes:
        record_id: 16 hexadecimal digits, the same in every run with the same inputs and settings.
        parents: ids of the records it was made from.
        iteration: 0 for what stands before the first iteration (seeds, base model).
        stage: the name of the asset.
        position: its place in the stage's order.
        instruction: the instruction that the text answers, or is a plan for.
        initial_response: in extension stages, the response that the extension started from.
        response: in stage 1, the text whose first half was given to the Extender; of a pair of the
            final data set, the response.
        text: what this stage made: an instruction, a plan, a response, in stage 1 the prefix, or a
            judge's answer; of a document, the document.
        kind: the kind of writing, if the seed file says; of a pair of the final data set, the kind
            of the seeds that its instruction was made up from, if they are all of one.
        mentions, missing_mentions: held-out instructions only: what must be named, and what is not.
        prefix_characters: stage 2 only: how much of the text is the prefix that it was begun with:
            in the first attempt the parent's, in any other one of its own.
        query: pairs only: what the response answers: the instruction, with or without a length.
        split: ``train`` or ``validation``, in the final data set.
        source_id, source_stage, source_iteration: pairs only: the record that the response comes
            from; iteration 0 if it was collected after the last one.
        constraint: of pairs, the length that is woven into the query, as it stands there; of
            benchmark answers, the length that the query asks for.
        constraint_type, constraint_words: pairs only: the constraint's type and its numbers.
        model: benchmark answers only, as are the next four: the model that wrote it.
        type, range: the query's groups: kind of constraint or of writing, and range of lengths.
        asked: the length asked for as a number of words; the middle of a range.
        score: how well the answer follows it, as the benchmark measures that.
        prompt, completion: training examples only, as chat messages.
        judge: judgements only: the judge's model and revision, the version of what it was asked,
            and a digest of all that its scores depend on.
        scores: judgements only: from 1 to 10, by dimension.
        adapter: fingerprint of the adapter that wrote it; None when no model did.
        attempt: how often the model had been asked, this time included.
        tokens: length of the text in tokens, as the engine counted; None if no model wrote it.
        finish_reason: ``stop`` or ``length``, as the engine reported.
        kept: this stage's output was good enough.
        drop_reason: why it was not.
    """

    record_id: str
    parents: tuple[str, ...] = ()
    experiment: str
    iteration: int
    stage: str
    position: int
    language: Language
    instruction: str | None = None
    initial_response: str | None = None
    response: str | None = None
    text: str | None = None
    kind: Kind | None = None
    mentions: tuple[str, ...] | None = None
    missing_mentions: tuple[str, ...] | None = None
    prefix_characters: int | None = None
    query: str | None = None
    split: Split | None = None
    source_id: str | None = None
    source_stage: str | None = None
    source_iteration: int | None = None
    constraint: str | None = None
    constraint_type: ConstraintType | None = None
    constraint_words: tuple[int, ...] | None = None
    model: str | None = None
    type: str | None = None
    range: str | None = None
    asked: float | None = None
    score: float | None = None
    prompt: tuple[Message, ...] | None = None
    completion: tuple[Message, ...] | None = None
    judge: dict[str, str] | None = None
    scores: dict[str, int] | None = None
    adapter: str | None = None
    attempt: int | None = None
    finish_reason: str | None = None
    tokens: int | None = None
    kept: bool = True
    drop_reason: str | None = None

    @cached_property
    def words(self) -> int:
        """Length of what was written, in words."""
        return count_words(self.written, self.language)

    @cached_property
    def characters(self) -> int:
        """Length of what was written, in characters."""
        return len(self.written)

    @property
    def written(self) -> str:
        """The text that counts: this stage's own, or what a pair or training example answers."""
        if self.query is not None:
            return self.response or ""
        return (self.completion[-1]["content"] if self.completion else self.text) or ""

    def as_row(self) -> dict[str, Any]:
        """The record as a mapping of plain values, the way journals and Parquet take it."""
        return asdict(self) | {"words": self.words, "characters": self.characters}


def record_from_row(row: Mapping[str, Any]) -> Record:
    """The inverse of ``Record.as_row``; columns that the row lacks are None."""
    values = {name: _frozen(value) for name, value in row.items()}
    counts = {name: values.pop(name) for name in ("words", "characters")}
    record = Record(**values)
    # Counted when it was written; to count again would cost more than reading does.
    record.__dict__.update(counts)
    return record


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
