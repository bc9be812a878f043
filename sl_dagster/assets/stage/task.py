"""A stage as one object: what is asked of whom, and what becomes of the answers.

A ``Task`` asks a model, a ``Derivation`` does not. The head of such a class names what the stage is
made from and which settings count; how slots are filled and records stored is ``filling.py``.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar

import dagster as dg

from sl_dagster.assets.stage.description import StagePage, stage_result
from sl_dagster.assets.stage.filling import filled, written
from sl_dagster.assets.stage.made_once import MadeOnce
from sl_dagster.assets.stage.run import StageRun, base_model
from sl_dagster.assets.stage.slot import Ask, Slot
from sl_dagster.experiment import Experiment, ServedModel
from sl_dagster.identity import fingerprint
from sl_dagster.method.language import Language
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.records import Record, Text
from sl_dagster.resources.storage.journal import Outcome
from sl_dagster.resources.storage.stage_store import StoredStage


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

    @abstractmethod
    def stored(self) -> StoredStage:
        """The records, made or found."""


class Task(Stage):
    """A stage that a model writes: slots are asked for until their records are good enough.

    Attributes:
        weights: the asset whose weights are asked; None for the bare base model.
    """

    kinds = ("huggingface", "parquet")
    on_gpu = True
    weights: str | None = None

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        if self.weights:
            self.inputs = (*self.inputs, self.weights)

    @cached_property
    def sources(self) -> list[StoredStage]:
        return [self.run.stage(name) for name in self.inputs if name != self.weights]

    @cached_property
    def writer(self) -> Adapter:
        """The weights that are asked."""
        if self.weights is None:
            return base_model(self.experiment)
        return self.run.weights(self.weights)

    @property
    def made_from(self) -> list[StoredStage | Adapter]:
        return [*super().made_from, self.writer]

    @property
    def served(self) -> ServedModel:
        """Which model is asked."""
        return self.experiment.served

    def columns(
        self, position: int, record_id: str, language: Language, parents: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        known = super().columns(position, record_id, language, parents)
        return known | {"adapter": self.writer.fingerprint}

    @property
    @abstractmethod
    def tries(self) -> int:
        """How often a slot is asked for."""

    @abstractmethod
    async def attempt(self, slot: Slot[Any], number: int, ask: Ask) -> Record:
        """Ask the model for a slot, once, and judge the answer.

        Args:
            slot: what is asked for.
            number: how often it has been asked for, this time included.
            ask: asks the engine.
        """

    def carry(self, slot: Slot[Any], failed: Record) -> Record | None:
        """What flows on in place of a slot without a good record: by default, nothing."""
        return None

    def choose(
        self, outcomes: Sequence[Outcome], texts: Iterable[str]
    ) -> Sequence[str | None] | None:
        """Say why records are dropped after all, when all slots are filled: by default, none is.

        Args:
            outcomes: of all kept slots, in order.
            texts: theirs, read one by one as they are looked at.
        """
        return None

    def stored(self) -> StoredStage:
        return filled(self.run, self)


class Derivation(Stage):
    """A stage that no model writes: its records follow from other records, or from files."""

    @abstractmethod
    def records(self) -> Iterable[Record]:
        """The records in order; those that are kept flow on, the others are rejected."""

    def stored(self) -> StoredStage:
        return written(self.run, self)
