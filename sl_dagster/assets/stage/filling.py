"""Filling a stage: its slots with what a model writes, and its files with the finished records.

A slot is asked for until its record is good enough or its tries are used up, while the other slots
run on; a finished slot goes to the journal at once. When all are finished, the stage is written
from the journal.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

from sl_dagster.assets.stage.run import StageRun
from sl_dagster.assets.stage.slot import Ask, Slot
from sl_dagster.experiment import ServedModel
from sl_dagster.progress import RecordsDone
from sl_dagster.resources.engines import Completion, Engine, Request
from sl_dagster.resources.records import Record
from sl_dagster.resources.storage.journal import Journal, Outcome
from sl_dagster.resources.storage.stage_store import (
    StageDraft,
    StoredStage,
    disk_errors_explained,
)


class Fillable(Protocol):
    """What is asked of a stage to fill it: see ``Stage``, ``Task`` and ``Derivation``."""

    record: ClassVar[type[Record]]

    @property
    def fingerprint(self) -> str: ...
    @property
    def count(self) -> int: ...


class Asking(Fillable, Protocol):
    """A stage that a model writes: see ``Task``."""

    @property
    def served(self) -> ServedModel: ...
    @property
    def tries(self) -> int: ...
    def slots(self) -> Iterator[Slot[Any]]: ...
    async def attempt(self, slot: Slot[Any], number: int, ask: Ask) -> Record: ...
    def carry(self, slot: Slot[Any], failed: Record) -> Record | None: ...
    def choose(
        self, outcomes: Sequence[Outcome], texts: Iterable[str]
    ) -> Sequence[str | None] | None: ...


class Derived(Fillable, Protocol):
    """A stage that no model writes: see ``Derivation``."""

    def records(self) -> Iterable[Record]: ...


def filled(run: StageRun, task: Asking) -> StoredStage:
    """Make a stage that a model writes.

    Returns:
        A draft, which is to be made current, or the stored stage if an equal one exists.

    Raises:
        UserError: the engine failed, the disk is full, or another run works on the iteration.
    """
    return _found_or_made(run, task, lambda: _generated(run, task))


def written(run: StageRun, derivation: Derived) -> StoredStage:
    """Make a stage that no model writes: kept records flow on, the others are rejected.

    Returns, raises: as ``filled``.
    """

    def make() -> StoredStage:
        counts = _Counts(records_in=derivation.count)
        with run.stages.draft(run.key, derivation.fingerprint, derivation.record) as draft:
            for record in derivation.records():
                _place(record, draft, counts, flows_on=record.kept)
            return draft.finish(counts.facts() | _launched_with(run))

    return _found_or_made(run, derivation, make)


@dataclass
class _Counts:
    """How the slots of a stage ended.

    Attributes:
        records_in: how many records the stage was made from, or how many slots it has.
        kept: slots with a good record.
        dropped: the other slots, by the reason of their last attempt.
        retried: earlier attempts that were not good enough, by their reason.
        truncated: attempts, good or not, that the token limit cut off.
    """

    records_in: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    retried: Counter[str] = field(default_factory=Counter)
    truncated: int = 0

    def facts(self) -> dict[str, Any]:
        return {
            "records_in": self.records_in,
            "kept": self.kept,
            "dropped": dict(self.dropped),
            "retried": dict(self.retried),
        }


def _found_or_made(run: StageRun, stage: Fillable, make: Callable[[], StoredStage]) -> StoredStage:
    run.session.claim(run.key, run.run_id)
    stored = None if run.force else run.stages.find(run.key, stage.fingerprint)
    if stored is not None:  # an empty stage is stored, too
        run.say("up to date: inputs, settings and code are those of the stored result")
        return stored
    return make()


def _generated(run: StageRun, task: Asking) -> StoredStage:
    journal = run.stages.journal(run.key, task.fingerprint, task.record)
    try:
        if journal.outcomes:
            run.say(f"continuing: {len(journal.outcomes)} records are in the journal")
        if journal.damaged:
            run.say(
                f"{journal.path}: {len(journal.damaged)} lines are damaged, the first is line "
                f"{journal.damaged[0]}; their records are asked for again"
            )
        progress = RecordsDone(run.report, task.count, done=len(journal.outcomes))
        engine = run.session.engines.of(task.served, run.say)
        with disk_errors_explained(f"{run.key}: cannot write {journal.path}"):
            run.session.wait_for(_fill(task, engine, journal, progress))
        with run.stages.draft(run.key, task.fingerprint, task.record) as draft:
            counts = _write_from_journal(task, journal, draft)
            facts = counts.facts() | {"truncated": counts.truncated} | _speed(progress)
            facts["gpus"] = engine.gpus
            return draft.finish(facts | _launched_with(run))
    finally:
        journal.close()


async def _fill(task: Asking, engine: Engine, journal: Journal, progress: RecordsDone) -> None:
    """Fill every slot that the journal does not have, many at a time."""
    missing = iter(slot for slot in task.slots() if slot.record_id not in journal.outcomes)

    async def ask(request: Request) -> Completion:
        completion = await engine.complete(request)
        progress.tokens += completion.tokens
        return completion

    async def worker() -> None:
        for slot in missing:
            attempts = await _attempts(task, slot, ask)
            journal.append(slot.record_id, attempts)
            progress.finished(attempts[-1].kept)

    async with asyncio.TaskGroup() as group:
        for _ in range(engine.concurrency):
            group.create_task(worker())


async def _attempts(task: Asking, slot: Slot[Any], ask: Ask) -> list[Record]:
    attempts: list[Record] = []
    for number in range(1, task.tries + 1):
        record = await task.attempt(slot, number, ask)
        attempts.append(replace(record, attempt=number))
        if record.kept:
            break
    return attempts


def _write_from_journal(task: Asking, journal: Journal, draft: StageDraft) -> _Counts:
    counts = _Counts(records_in=task.count)
    chosen_against = _chosen_against(task, journal)
    for slot in task.slots():
        *failed, final = attempts = journal.read(slot.record_id)
        counts.truncated += sum(attempt.finish_reason == "length" for attempt in attempts)
        counts.retried.update(str(attempt.drop_reason) for attempt in failed)
        reason, carried = chosen_against.get(final.record_id), None
        if reason:
            final = replace(final, kept=False, drop_reason=reason)
        elif not final.kept and (carried := task.carry(slot, final)):
            failed.append(final)
            final = replace(carried, kept=False, drop_reason=final.drop_reason)
        for number, attempt in enumerate(failed, start=1):
            draft.reject(replace(attempt, record_id=f"{attempt.record_id}.{number}"))
        _place(final, draft, counts, flows_on=final.kept or carried is not None)
    return counts


def _chosen_against(task: Asking, journal: Journal) -> dict[str, str]:
    """The records that are good enough and yet not chosen, with the reason."""
    ids = [slot.record_id for slot in task.slots()]
    kept = [record_id for record_id in ids if journal.outcomes[record_id].kept]
    texts = (journal.read(record_id)[-1].written for record_id in kept)
    reasons = task.choose([journal.outcomes[record_id] for record_id in kept], texts)
    if reasons is None:
        return {}
    return {record_id: reason for record_id, reason in zip(kept, reasons, strict=True) if reason}


def _place(record: Record, draft: StageDraft, counts: _Counts, *, flows_on: bool) -> None:
    if record.kept:
        counts.kept += 1
    else:
        counts.dropped[str(record.drop_reason)] += 1
    if flows_on:
        draft.add(record)
    else:
        draft.reject(record)


def _launched_with(run: StageRun) -> dict[str, Any]:
    return {"overrides": run.overrides} if run.overrides else {}


def _speed(progress: RecordsDone) -> dict[str, Any]:
    return {
        "generated_tokens": progress.tokens,
        "seconds": round(progress.seconds, 1),
        "tokens_per_second": round(progress.tokens / max(progress.seconds, 1e-9), 1),
    }
