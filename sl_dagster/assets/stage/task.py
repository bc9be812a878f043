"""A stage that a model writes: what is asked of whom, and how its slots are filled.

A slot is asked for until its record is good enough or its tries are used up, while the other slots
run on; a finished slot goes to the journal at once. When all are finished, the stage is written
from the journal.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from sl_dagster.assets.stage.run import base_model
from sl_dagster.assets.stage.slot import Ask, Slot
from sl_dagster.assets.stage.stage import Counts, Stage
from sl_dagster.disk_errors import disk_errors_explained
from sl_dagster.experiment import Experiment, ServedModel
from sl_dagster.method.language import Language
from sl_dagster.progress import RecordsDone
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines import Completion, Engine, Request
from sl_dagster.resources.records import Record
from sl_dagster.resources.storage.journal import Journal, Outcome, Work
from sl_dagster.resources.storage.stage_store import StageDraft
from sl_dagster.resources.storage.stored_stage import StoredStage


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

    def tries_for(self, slot: Slot[Any]) -> int:
        """How often this one is: by default, as often as all."""
        return self.tries

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

    def made_anew(self) -> StoredStage:
        run = self.run
        journal = run.stages.journal(run.key, self.fingerprint, self.record)
        try:
            if journal.outcomes:
                run.say(f"continuing: {len(journal.outcomes)} records are in the journal")
            if journal.damaged:
                run.say(
                    f"{journal.path}: {len(journal.damaged)} lines are damaged, the first is line "
                    f"{journal.damaged[0]}; their records are asked for again"
                )
            progress = RecordsDone(run.report, self.count, done=len(journal.outcomes))
            engine = run.session.engines.of(self.served, run.say)
            with disk_errors_explained(f"{run.key}: cannot write {journal.path}"):
                run.session.wait_for(_fill(self, engine, journal, progress))
            with run.stages.draft(run.key, self.fingerprint, self.record) as draft:
                counts, truncated = _write_from_journal(self, journal, draft)
                cost = _cost(journal.work)
                return self.finished(draft, counts, truncated=truncated, **cost, gpus=engine.gpus)
        finally:
            journal.close()


async def _fill(task: Task, engine: Engine, journal: Journal, progress: RecordsDone) -> None:
    """Fill every slot that the journal does not have, many at a time."""
    missing = iter(slot for slot in task.slots() if slot.record_id not in journal.outcomes)
    before = journal.work.seconds

    async def worker() -> None:
        for slot in missing:
            attempts, tokens = await _attempts(task, slot, engine, progress)
            task.run.claim()  # if this machine was asleep, another run may work on it now
            seconds = before + progress.seconds - journal.work.seconds
            journal.append(slot.record_id, attempts, Work(tokens, seconds))
            progress.finished(attempts[-1].kept)

    async with asyncio.TaskGroup() as group:
        for _ in range(engine.concurrency):
            group.create_task(worker())


async def _attempts(
    task: Task, slot: Slot[Any], engine: Engine, progress: RecordsDone
) -> tuple[list[Record], int]:
    """All attempts for a slot, and how many tokens were generated for them."""
    attempts: list[Record] = []
    tokens = 0

    async def ask(request: Request) -> Completion:
        nonlocal tokens
        completion = await engine.complete(request)
        tokens += completion.tokens
        progress.tokens += completion.tokens
        return completion

    for number in range(1, task.tries_for(slot) + 1):
        record = await task.attempt(slot, number, ask)
        attempts.append(replace(record, attempt=number))
        if record.kept:
            break
    return attempts, tokens


def _write_from_journal(task: Task, journal: Journal, draft: StageDraft) -> tuple[Counts, int]:
    """How the slots ended, and how many attempts, good or not, the token limit cut off."""
    counts, truncated = Counts(records_in=task.count), 0
    chosen_against = _chosen_against(task, journal)
    for slot in task.slots():
        *failed, final = attempts = journal.read(slot.record_id)
        truncated += sum(attempt.finish_reason == "length" for attempt in attempts)
        counts.retried.update(str(attempt.drop_reason) for attempt in failed)
        reason, carried = chosen_against.get(final.record_id), None
        if reason:
            final = replace(final, kept=False, drop_reason=reason)
        elif not final.kept and (carried := task.carry(slot, final)):
            failed.append(final)
            final = replace(carried, kept=False, drop_reason=final.drop_reason)
        for number, attempt in enumerate(failed, start=1):
            draft.reject(replace(attempt, record_id=f"{attempt.record_id}.{number}"))
        counts.place(final, draft, flows_on=final.kept or carried is not None)
    return counts, truncated


def _chosen_against(task: Task, journal: Journal) -> dict[str, str]:
    """The records that are good enough and yet not chosen, with the reason."""
    ids = [slot.record_id for slot in task.slots()]
    kept = [record_id for record_id in ids if journal.outcomes[record_id].kept]
    texts = (journal.read(record_id)[-1].written for record_id in kept)
    reasons = task.choose([journal.outcomes[record_id] for record_id in kept], texts)
    if reasons is None:
        return {}
    return {record_id: reason for record_id, reason in zip(kept, reasons, strict=True) if reason}


def _cost(work: Work) -> dict[str, Any]:
    return {
        "generated_tokens": work.tokens,
        "seconds": round(work.seconds, 1),
        "tokens_per_second": round(work.tokens / max(work.seconds, 1e-9), 1),
    }
