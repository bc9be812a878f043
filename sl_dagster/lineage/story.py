"""The story of a record: the chain it belongs to, what each step added, what was given up."""

from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, get_args

from sl_dagster.errors import UserError
from sl_dagster.experiment import Role
from sl_dagster.lineage.marks import Piece, marked
from sl_dagster.lineage.trace import read_records, writer_of
from sl_dagster.method.paragraphs import first_half
from sl_dagster.method.words import count_words
from sl_dagster.resources.records import Example, Record, Text
from sl_dagster.resources.storage.adapter_store import AdapterStore, StoredAdapter
from sl_dagster.resources.storage.lengths import LengthsDatabase
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage

_HELDOUT = ("heldout_base", "heldout_responses")


@dataclass(frozen=True)
class Step:
    """One text of the chain.

    Attributes:
        record: the text with its facts.
        writer: the adapter that wrote it, as ``trace.writer_of`` names it; None without a model.
        pieces: the text, divided into what was there before and what is new.
        compared_with: the text that ``pieces`` compares it with, in words; empty if there is none.
        before: words of that text.
        attempts: texts for the same place that were not good enough.
        siblings: what else was made from the same source.
    """

    record: Record
    writer: dict[str, Any] | None
    pieces: list[Piece]
    compared_with: str = ""
    before: int | None = None
    attempts: list[Record] = field(default_factory=list)
    siblings: list[Record] = field(default_factory=list)


@dataclass(frozen=True)
class Story:
    """A record with the chain from its seeds to what was trained on it.

    Attributes:
        record: the one that was asked for.
        sources: what the chain begins with: the two examples of a self-made instruction.
        missing: ids of ancestors whose stages have been made anew since then.
        steps: the texts in the order of the loop, the record among them. For a held-out answer:
            the answers to the same instruction before and after each iteration.
        examples: the training examples that the chain ends in.
        checkpoints: the current adapters that were trained on such examples in their iteration.
    """

    record: Record
    sources: list[Record]
    missing: list[str]
    steps: list[Step]
    examples: list[Record]
    checkpoints: list[StoredAdapter]

    @property
    def instruction(self) -> str:
        """The instruction that the chain is about."""
        known = [self.record.instruction, *(step.record.instruction for step in self.steps)]
        return next((text for text in known if text), self.record.written)


def story_of(record_id: str, data_dir: Path) -> Story:
    """Follow a record up to its seeds and down to what was trained on it.

    Below the record, where there are several ways on, the story takes the one that leads furthest,
    and there the longest kept text.

    Raises:
        UserError: no stored record has this id, or a stage is damaged.
    """
    with LengthsDatabase(data_dir=str(data_dir)).kept_open():
        return _story_of(record_id, _Reader(data_dir), data_dir)


def _story_of(record_id: str, reader: "_Reader", data_dir: Path) -> Story:
    record = reader.records([record_id]).get(record_id)
    if record is None:
        raise UserError(
            f"there is no record {record_id} in {data_dir}: ids stand in the tables of the web UI, "
            "in the Parquet files and on this view's lists; a stage that was made anew with other "
            "settings has new ids"
        )
    if record.stage in _HELDOUT:
        return Story(record, [], [], _answers_alike(record, reader), [], [])
    return _chain(record, reader)


class _Reader:
    """Reads records and their relations."""

    def __init__(self, data_dir: Path) -> None:
        self.lengths = LengthsDatabase(data_dir=str(data_dir))
        self.stages = StageStore(data_dir=str(data_dir))
        self.trained = AdapterStore(data_dir=str(data_dir))
        self.adapters = self.lengths.adapters()

    def records(self, ids: list[str]) -> dict[str, Record]:
        """The records that there still are, by id."""
        return read_records(self.lengths.locate_all(ids), self.stages)

    def checkpoints(self, example: Record) -> list[StoredAdapter]:
        """The adapters that the example's iteration has trained so far."""
        found = []
        for role in get_args(Role):
            key = StageKey(example.experiment, f"{role}_lora", example.iteration)
            with suppress(UserError):
                found.append(self.trained.read(key))
        return found

    def step(self, record: Record, base: tuple[str, str] | None, **more: Any) -> Step:
        """A record as a step; ``base`` is what its text is compared with: its name and text."""
        writer = writer_of(record, self.adapters)
        if base is None:
            return Step(record, writer, [Piece(record.written, new=False)], **more)
        name, text = base
        pieces = marked(record.written, text)
        return Step(record, writer, pieces, name, count_words(text), **more)


def _chain(record: Record, reader: _Reader) -> Story:
    above = reader.lengths.ancestry(record.record_id)
    below = (
        [] if record.stage in ("seeds", "documents") else reader.lengths.descent(record.record_id)
    )
    up, sources = _way_up(record.record_id, above)
    path = [*up, record.record_id, *_way_down(record.record_id, below)]
    relatives = reader.lengths.relatives(path)
    everything = {*path, *sources, *relatives, *(row["record_id"] for row in below)}
    records = reader.records(sorted(everything))
    on_path = [records[one] for one in path if one in records]
    examples = [
        one
        for one in records.values()
        if isinstance(one, Example) and {one.record_id, *one.parents} & {*path}
    ]
    return Story(
        record=record,
        sources=[records[one] for one in sources if one in records],
        missing=[one for one in [*path, *sources] if one not in records],
        steps=[
            _step(one, on_path, records, reader)
            for one in on_path
            if not isinstance(one, Example)  # training examples stand at the end, side by side
        ],
        examples=sorted(examples, key=lambda one: one.stage, reverse=True),
        checkpoints=reader.checkpoints(examples[0]) if examples else [],
    )


def _way_up(record_id: str, above: list[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """The single line of ancestors, the oldest first, and the several sources it began with."""
    parents: dict[str, list[str]] = {}
    for child, parent in above:
        parents.setdefault(child, []).append(parent)
    line: list[str] = []
    here = record_id
    while len(found := sorted(set(parents.get(here, [])))) == 1:
        here = found[0]
        line.insert(0, here)
    return line, found


def _way_down(record_id: str, below: list[dict[str, Any]]) -> list[str]:
    """The way on that leads furthest, over the longest kept texts."""
    children: dict[str, list[dict[str, Any]]] = {}
    for row in below:
        children.setdefault(row["parent_id"], []).append(row)

    @cache
    def depth(one: str) -> int:
        return 1 + max((depth(row["record_id"]) for row in children.get(one, [])), default=0)

    line: list[str] = []
    here = record_id
    while here in children:
        best = max(
            children[here], key=lambda row: (depth(row["record_id"]), row["kept"], row["words"])
        )
        here = best["record_id"]
        line.append(here)
    return line


def _step(record: Record, path: list[Record], records: dict[str, Record], reader: _Reader) -> Step:
    slot = record.record_id.partition(".")[0]
    others = [
        one
        for one in records.values()
        if one.stage == record.stage and one.record_id != record.record_id
    ]
    attempts = [one for one in others if one.record_id.partition(".")[0] == slot]
    siblings = [
        one
        for one in others
        if one not in attempts and one.parents == record.parents and record.stage != "instructions"
    ]
    return reader.step(
        record,
        _compared_with(record, path),
        attempts=sorted(attempts, key=lambda one: one.attempt or 0),
        siblings=sorted(siblings, key=lambda one: (one.position, one.attempt or 0)),
    )


def _compared_with(record: Record, path: list[Record]) -> tuple[str, str] | None:
    """Name and text of what a record was made from by lengthening it."""
    if not isinstance(record, Text):
        return None
    if record.response is not None:
        return "the first half that the Extender was given", first_half(record.response)
    if record.stage == "extended_responses" and record.initial_response is not None:
        return "the initial response", record.initial_response
    sources = [one for one in path if one.record_id in record.parents]
    for source in sources:
        if isinstance(source, Text) and source.response is not None:
            return "the text before this round", source.response
    return None


def _answers_alike(record: Record, reader: _Reader) -> list[Step]:
    keys = [key for key in reader.stages.complete(record.experiment) if key.stage in _HELDOUT]
    found = [
        answer
        for key in sorted(keys, key=lambda key: key.iteration or 0)
        for answer in _at_position(reader.stages.read(key), record)
    ]
    return [reader.step(answer, None) for answer in found]


def _at_position(stage: StoredStage, wanted: Record) -> list[Record]:
    if wanted.position >= len(stage):
        return []
    return [one for one in stage.at([wanted.position]) if one.instruction == wanted.instruction]
