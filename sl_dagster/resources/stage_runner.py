"""Running a stage: filling its slots with what a model writes, and writing the finished stage.

A generated stage consists of slots, each to be filled with one record. A slot is asked for until
its record is good enough or its tries are used up, while the other slots run on; a finished slot
goes to the journal at once. When all are finished, the stage is written from the journal.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
from pydantic import PrivateAttr

from sl_dagster.experiment import ServedModel
from sl_dagster.identity import seed_from
from sl_dagster.resources.engines import Completion, Engine, Request
from sl_dagster.resources.engines.pool import EnginePool
from sl_dagster.resources.progress import Progress
from sl_dagster.resources.records import TEXT_SCHEMA, Record
from sl_dagster.resources.storage.journal import Journal, Outcome
from sl_dagster.resources.storage.run_lock import RunLock
from sl_dagster.resources.storage.stage_store import (
    StageDraft,
    StageKey,
    StageStore,
    StoredStage,
    disk_errors_explained,
)

Ask = Callable[[Request], Awaitable[Completion]]


@dataclass(frozen=True)
class StageRun:
    """One materialization of a stage.

    Attributes:
        key: which stage.
        fingerprint: digest of all that the result depends on; an equal result is not made twice.
        force: make it anew nevertheless.
        run_id: the Dagster run.
        say: takes a line for the run's log.
        overrides: the settings that this launch has changed, nested like the experiment file.
    """

    key: StageKey
    fingerprint: str
    force: bool
    run_id: str
    say: Callable[[str], None]
    overrides: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Slot:
    """One place of a stage, to be filled with one record.

    Attributes:
        blank: the record to be, with its identity and without a text.
        source: what it is made from; None for what has no source.
    """

    blank: Record
    source: Record | None = None

    def seed(self, attempt: int, purpose: str = "") -> int:
        """The seed for one of the draws of an attempt."""
        return seed_from(self.blank.record_id, attempt, purpose)


@dataclass(frozen=True, kw_only=True)
class Generation:
    """What a stage asks the model for, and what becomes of the answers.

    Attributes:
        slots: the slots in order; called more than once.
        count: how many there are.
        tries: how often a slot is asked for.
        attempt: asks the model for a slot, once, and judges the answer in ``kept``.
        choose: given the outcomes of all kept slots in order, and their texts (read one by one as
            they are looked at), why each is dropped after all.
        carried: what flows on in place of a slot without a good record; nothing by default.
        schema: the columns to store.
    """

    slots: Callable[[], Iterable[Slot]]
    count: int
    tries: int
    attempt: Callable[[Slot, int, Ask], Awaitable[Record]]
    choose: Callable[[Sequence[Outcome], Iterable[str]], Sequence[str | None]] | None = None
    carried: Callable[[Slot, Record], Record] | None = None
    schema: pa.Schema = TEXT_SCHEMA


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


class StageRunner(dg.ConfigurableResource):
    """Makes stages, or finds that an equal one is stored already.

    It holds what a run holds: the engines that are open and the iterations that are claimed.
    """

    stages: dg.ResourceDependency[StageStore]
    _engines: EnginePool = PrivateAttr(default_factory=EnginePool)
    _lock: RunLock = PrivateAttr(default_factory=RunLock)
    # One event loop for the whole run, because engines keep connections from stage to stage.
    _loop: asyncio.Runner = PrivateAttr(default_factory=asyncio.Runner)

    @property
    def engines(self) -> EnginePool:
        """The engines of this run."""
        return self._engines

    def claim(self, key: StageKey, run_id: str) -> None:
        """Claim the stage's iteration for this run.

        Raises:
            UserError: another run works on it.
        """
        self._lock.hold(Path(self.stages.data_dir), key.experiment, key.iteration, run_id)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """End the engines and free the iterations, however the run ended."""
        self._engines.close()
        self._loop.close()
        self._lock.free()

    def generate(
        self,
        run: StageRun,
        served: ServedModel,
        generation: Generation,
    ) -> StoredStage:
        """Make a stage that a model writes.

        Args:
            run: which stage.
            served: which model.
            generation: what is asked, and how answers are judged.

        Returns:
            An unpublished draft, or the stored stage if an equal one exists.

        Raises:
            UserError: the engine failed, the disk is full, or another run works on the iteration.
        """
        return self._made(run, lambda: self._generated(run, served, generation))

    def write(
        self,
        run: StageRun,
        records: Iterable[Record],
        count: int,
        schema: pa.Schema = TEXT_SCHEMA,
    ) -> StoredStage:
        """Make a stage that no model writes: kept records flow on, the others are rejected.

        Args:
            run: which stage.
            records: its records in order.
            count: how many records it was made from.
            schema: the columns to store.

        Returns, raises: as ``generate``.
        """

        def written() -> StoredStage:
            counts = _Counts(records_in=count)
            with self.stages.draft(run.key, run.fingerprint, schema) as draft:
                for record in records:
                    _place(record, draft, counts)
                return draft.finish(counts.facts() | _launched_with(run))

        return self._made(run, written)

    def answers(
        self, served: ServedModel, requests: Sequence[Request], say: Callable[[str], None]
    ) -> list[Completion]:
        """What a model answers to some requests, outside any stage.

        Args:
            served: which model.
            requests: asked for at the same time.
            say: takes a line for the run's log.

        Raises:
            UserError: the engine failed, or cannot use the adapter.
        """
        engine = self._engines.of(served, say)

        async def ask_all() -> list[Completion]:
            return await asyncio.gather(*map(engine.complete, requests))

        return self._loop.run(ask_all())

    def full_speed(self, served: ServedModel, requests: Sequence[Request]) -> float:
        """Tokens per second that a model's engine generates when it is full.

        Args:
            served: which model.
            requests: asked for in turn until the engine has as many as it can take.

        Raises:
            UserError: the engine failed.
        """
        engine = self._engines.of(served, lambda line: None)

        async def fill() -> int:
            waiting = (requests[k % len(requests)] for k in range(engine.concurrency))
            answers = [replace(one, seed=k) for k, one in enumerate(waiting)]
            return sum(c.tokens for c in await asyncio.gather(*map(engine.complete, answers)))

        start = time.monotonic()
        tokens = self._loop.run(fill())
        return tokens / (time.monotonic() - start)

    def _made(self, run: StageRun, make: Callable[[], StoredStage]) -> StoredStage:
        self.claim(run.key, run.run_id)
        stored = None if run.force else self.stages.find(run.key, run.fingerprint)
        if stored is not None:  # an empty stage is stored, too
            run.say("up to date: inputs, settings and code are those of the stored result")
            return stored
        return make()

    def _generated(self, run: StageRun, served: ServedModel, generation: Generation) -> StoredStage:
        journal = self.stages.journal(run.key, run.fingerprint)
        try:
            if journal.outcomes:
                run.say(f"continuing: {len(journal.outcomes)} records are in the journal")
            if journal.damaged:
                run.say(
                    f"{journal.path}: {len(journal.damaged)} lines are damaged, the first is line "
                    f"{journal.damaged[0]}; their records are asked for again"
                )
            progress = Progress(run.say, generation.count, done=len(journal.outcomes))
            engine = self._engines.of(served, run.say)
            with disk_errors_explained(f"{run.key}: cannot write {journal.path}"):
                self._run_async(_fill(generation, engine, journal, progress))
            with self.stages.draft(run.key, run.fingerprint, generation.schema) as draft:
                counts = _write_from_journal(generation, journal, draft)
                facts = counts.facts() | {"truncated": counts.truncated} | _speed(progress)
                facts["gpus"] = engine.gpus
                return draft.finish(facts | _launched_with(run))
        finally:
            journal.close()

    def _run_async(self, work: Coroutine[Any, Any, None]) -> None:
        """Run to the end; of several failures at the same time, raise the first."""
        try:
            self._loop.run(work)
        except BaseExceptionGroup as group:
            first: BaseException = group
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            raise first from None


async def _fill(
    generation: Generation, engine: Engine, journal: Journal, progress: Progress
) -> None:
    """Fill every slot that the journal does not have, many at a time."""
    missing = iter(
        slot for slot in generation.slots() if slot.blank.record_id not in journal.outcomes
    )

    async def ask(request: Request) -> Completion:
        completion = await engine.complete(request)
        progress.tokens += completion.tokens
        return completion

    async def worker() -> None:
        for slot in missing:
            attempts = await _attempts(generation, slot, ask)
            journal.append(slot.blank.record_id, attempts)
            progress.finished(attempts[-1].kept)

    async with asyncio.TaskGroup() as group:
        for _ in range(engine.concurrency):
            group.create_task(worker())


async def _attempts(generation: Generation, slot: Slot, ask: Ask) -> list[Record]:
    attempts: list[Record] = []
    for number in range(1, generation.tries + 1):
        record = await generation.attempt(slot, number, ask)
        attempts.append(replace(record, attempt=number))
        if record.kept:
            break
    return attempts


def _write_from_journal(generation: Generation, journal: Journal, draft: StageDraft) -> _Counts:
    counts = _Counts(records_in=generation.count)
    chosen_against = _chosen_against(generation, journal)
    for slot in generation.slots():
        *failed, final = attempts = journal.read(slot.blank.record_id)
        counts.truncated += sum(attempt.finish_reason == "length" for attempt in attempts)
        counts.retried.update(str(attempt.drop_reason) for attempt in failed)
        late_reason = chosen_against.get(final.record_id)
        if late_reason:
            final = replace(final, kept=False, drop_reason=late_reason)
        elif not final.kept and generation.carried:
            failed.append(final)
            final = replace(
                generation.carried(slot, final), kept=False, drop_reason=final.drop_reason
            )
        for number, attempt in enumerate(failed, start=1):
            draft.reject(replace(attempt, record_id=f"{attempt.record_id}.{number}"))
        _place(final, draft, counts, flows_on=final.kept or bool(generation.carried))
    return counts


def _chosen_against(generation: Generation, journal: Journal) -> dict[str, str]:
    """The records that are good enough and yet not chosen, with the reason."""
    if not generation.choose:
        return {}
    ids = [slot.blank.record_id for slot in generation.slots()]
    kept = [record_id for record_id in ids if journal.outcomes[record_id].kept]
    texts = (journal.read(record_id)[-1].written for record_id in kept)
    reasons = generation.choose([journal.outcomes[record_id] for record_id in kept], texts)
    return {record_id: reason for record_id, reason in zip(kept, reasons, strict=True) if reason}


def _place(
    record: Record, draft: StageDraft, counts: _Counts, flows_on: bool | None = None
) -> None:
    if record.kept:
        counts.kept += 1
    else:
        counts.dropped[str(record.drop_reason)] += 1
    if record.kept if flows_on is None else flows_on:
        draft.add(record)
    else:
        draft.reject(record)


def _launched_with(run: StageRun) -> dict[str, Any]:
    return {"overrides": run.overrides} if run.overrides else {}


def _speed(progress: Progress) -> dict[str, Any]:
    return {
        "generated_tokens": progress.tokens,
        "seconds": round(progress.seconds, 1),
        "tokens_per_second": round(progress.tokens / max(progress.seconds, 1e-9), 1),
    }
