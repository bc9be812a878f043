"""A stage as one object: an asset of records, which a model writes or not.

A ``Task`` asks a model (see ``task.py``), a ``Derivation`` does not. The head of such a class names
what the stage is made from and which settings count.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import dagster as dg

from sl_dagster.assets.stage.description import StagePage, stage_result
from sl_dagster.assets.stage.made_once import MadeOnce
from sl_dagster.assets.stage.run import StageRun
from sl_dagster.assets.stage.slot import Slot
from sl_dagster.identity import fingerprint
from sl_dagster.method.language import Language
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.records import Record, Text
from sl_dagster.resources.storage.stage_store import StageDraft
from sl_dagster.resources.storage.stored_stage import StoredStage


class Stage(MadeOnce):
    """An asset of records.

    Attributes:
        record: the kind of its records.
        about_texts: whether the lengths of its texts say something.
    """

    kinds = ("parquet",)
    about_texts: ClassVar[bool] = True
    record: ClassVar[type[Record]] = Text

    @cached_property
    def sources(self) -> list[StoredStage]:
        """The stages that it is made from: by default those that it is handed."""
        return [self.run.stage(name) for name in self.inputs]

    @property
    def made_from(self) -> list[StoredStage | Adapter]:
        return [*self.sources]

    @property
    def samples(self) -> int:
        """How many records are made from each source record."""
        return 1

    @property
    def count(self) -> int:
        """How many slots there are."""
        return len(self.sources[0]) * self.samples

    def source_records(self) -> Iterable[Any]:
        """What slots are made from, in order; called more than once."""
        return self.sources[0].records()

    def slots(self) -> Iterator[Slot[Any]]:
        """The slots in order; called more than once."""
        position = 0
        for source in self.source_records():
            for sample in range(self.samples):
                record_id = fingerprint(self.fingerprint, source.record_id, sample)
                parents = (source.record_id,)
                yield Slot(self.columns(position, record_id, source.language, parents), source)
                position += 1

    def columns(
        self, position: int, record_id: str, language: Language, parents: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """What is known of a record before there is a text: see ``Slot.identity``."""
        key = self.run.key
        return {
            "record_id": record_id,
            "parents": parents,
            "experiment": key.experiment,
            "iteration": key.iteration or 0,
            "stage": key.name,
            "position": position,
            "language": language,
        }

    def before(self) -> Sequence[int]:
        """Words of what the model was given to lengthen, to be shown beside the result."""
        return ()

    def facts(self, stage: StoredStage) -> dict[str, Any]:
        """What its page shows besides what all stages do."""
        return {}

    def headline(self, stage: StoredStage) -> tuple[str, ...]:
        """Its main figures, if they are not how many records were kept and how long they are."""
        return ()

    def picture(self, stage: StoredStage) -> dict[str, dg.MetadataValue]:
        """What its page shows first, by its name, if it is not how lengths are distributed."""
        return {}

    def make(self, run: StageRun) -> dg.MaterializeResult:
        stage = self.in_run(run)
        stored = stage.stored()
        page = StagePage(
            stage.headline(stored), stage.picture(stored), stage.facts(stored), self.about_texts
        )
        return stage_result(stored, stage.made_from, stage.before(), page)

    def stored(self) -> StoredStage:
        """The records, made or found.

        Returns:
            A draft, which is to be made current, or the stored stage if an equal one exists.

        Raises:
            UserError: the engine failed, the disk is full, or another run works on the iteration.
        """
        run = self.run
        run.claim()
        stored = None if run.force else run.stages.find(run.key, self.fingerprint, run.warn)
        if stored is None:  # an empty stage is stored, too
            draft = self.made_anew()
            run.claim()
            return draft
        run.say("up to date: inputs, settings and code are those of the stored result")
        return stored

    @abstractmethod
    def made_anew(self) -> StoredStage:
        """The records as a draft, whatever is stored."""

    def finished(self, draft: StageDraft, counts: "Counts", **facts: Any) -> StoredStage:
        """A draft with all its records, and these facts besides their counts."""
        overrides = {"overrides": self.run.overrides} if self.run.overrides else {}
        return draft.finish(counts.facts() | facts | overrides)


class Derivation(Stage):
    """A stage that no model writes: its records follow from other records, or from files."""

    @abstractmethod
    def records(self) -> Iterable[Record]:
        """The records in order; those that are kept flow on, the others are rejected."""

    def made_anew(self) -> StoredStage:
        counts = Counts(records_in=self.count)
        with self.run.stages.draft(self.run.key, self.fingerprint, self.record) as draft:
            for record in self.records():
                counts.place(record, draft, flows_on=record.kept)
            return self.finished(draft, counts)


@dataclass
class Counts:
    """How the slots of a stage ended.

    Attributes:
        records_in: how many records the stage was made from, or how many slots it has.
        kept: slots with a good record.
        dropped: the other slots, by the reason of their last attempt.
        retried: earlier attempts that were not good enough, by their reason.
    """

    records_in: int
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    retried: Counter[str] = field(default_factory=Counter)

    def place(self, record: Record, draft: StageDraft, *, flows_on: bool) -> None:
        """Count a slot's last record, and put it where it belongs."""
        if record.kept:
            self.kept += 1
        else:
            self.dropped[str(record.drop_reason)] += 1
        if flows_on:
            draft.add(record)
        else:
            draft.reject(record)

    def facts(self) -> dict[str, Any]:
        """As they are stored."""
        return {
            "records_in": self.records_in,
            "kept": self.kept,
            "dropped": dict(self.dropped),
            "retried": dict(self.retried),
        }
