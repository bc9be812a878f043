"""Filling a stage: attempts, the journal and resuming, choosing, and what is stored in the end."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from sl_dagster.assets.stage.run import StageRun
from sl_dagster.assets.stage.slot import Ask, Slot
from sl_dagster.assets.stage.task import Task
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment, Sampling, load_experiment
from sl_dagster.method.prompts import Message
from sl_dagster.resources.engines import Completion, Request
from sl_dagster.resources.records import Record
from sl_dagster.resources.storage.journal import Journal, Outcome, Work
from sl_dagster.resources.storage.run_lock import Holder
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage
from tests.conftest import ScriptedEngine
from tests.stage_runs import stage_run

KEY = StageKey("small", "initial_responses", 1)
SLOTS = 20


class Killed(BaseException):
    """Stands for the end of the process in the middle of a stage."""


class Numbers(Task):
    """Asks for as many texts as there are slots; a text is good when it begins with "good"."""

    name = "initial_responses"
    description = "Texts."

    def __init__(self, experiment: Experiment, run: StageRun, fingerprint: str, **methods: Any):
        super().__init__(experiment)
        self.run = run
        self.fingerprint = fingerprint
        for name, method in methods.items():
            setattr(self, name, method)

    @property
    def tries(self) -> int:
        return 3

    @property
    def count(self) -> int:
        return SLOTS

    def slots(self) -> Iterator[Slot[int]]:
        for position in range(SLOTS):
            record_id = f"{self.fingerprint}-{position}"
            yield Slot(self.columns(position, record_id, "en"), position)

    async def attempt(self, slot: Slot[int], number: int, ask: Ask) -> Record:
        message = Message(role="user", content=f"{slot.source}/{number}")
        completion = await ask(Request(message, Sampling(), slot.seed(number), self.writer))
        reason = None if completion.text.startswith("good") else "bad"
        return slot.judged(completion, completion.text, reason)


class Workshop:
    """A stage to fill with what a scripted engine says."""

    def __init__(self, experiment: Experiment, data_dir: Path, monkeypatch) -> None:
        self.experiment = experiment
        self.data = data_dir
        self.stages = StageStore(data_dir=str(data_dir))
        self.said: list[str] = []
        self._patch = monkeypatch

    def run(
        self,
        answer: Callable[[Request], str | Completion | Exception],
        *,
        fingerprint: str = "f1",
        force: bool = False,
        **methods: Any,
    ) -> tuple[StoredStage, ScriptedEngine]:
        engine = ScriptedEngine(answer)
        self._patch.setattr("sl_dagster.resources.engines.pool.open_engine", lambda _: engine)
        run = stage_run(self.experiment, self.data, KEY, force=force, say=self.said.append)
        try:
            stage = Numbers(self.experiment, run, fingerprint, **methods).stored()
            return self.stages.make_current(stage), engine
        finally:
            run.session.close()
            assert engine.closed or not engine.requests


@pytest.fixture
def workshop(write_experiment, tmp_path: Path, monkeypatch) -> Workshop:
    return Workshop(load_experiment(write_experiment()), tmp_path / "data", monkeypatch)


def good(request: Request) -> str:
    return f"good {request.message['content']}"


def good_at_the_second_try(request: Request) -> str:
    position, number = map(int, request.message["content"].split("/"))
    if position == 7:
        return "never"
    return f"good {position}" if number == 2 else "not yet"


def test_slots_are_asked_for_until_they_are_good(workshop: Workshop) -> None:
    stage, engine = workshop.run(good_at_the_second_try)
    records = list(stage.records())
    assert [r.position for r in records] == [p for p in range(SLOTS) if p != 7]
    assert {r.attempt for r in records} == {2}
    assert len(engine.requests) == 2 * (SLOTS - 1) + 3
    facts = stage.manifest
    assert (facts["records_in"], facts["kept"]) == (SLOTS, SLOTS - 1)
    assert facts["dropped"] == {"bad": 1}
    assert facts["retried"] == {"bad": SLOTS - 1 + 2}
    assert stage.manifest["rejected"] == SLOTS - 1 + 3
    rejected = stage.pick({"f1-7", "f1-7.1", "f1-7.2", "f1-7.3", "f1-0.1"})
    assert sorted(r.record_id for r in rejected) == ["f1-0.1", "f1-7", "f1-7.1", "f1-7.2"]


def test_a_stage_may_ask_for_some_slots_less_often(workshop: Workshop) -> None:
    stage, _ = workshop.run(
        good_at_the_second_try, tries_for=lambda slot: 1 if slot.position < 9 else 2
    )
    assert [record.position for record in stage.records()] == list(range(9, SLOTS))


def test_generations_that_the_token_limit_cut_off_are_counted_apart(workshop: Workshop) -> None:
    def cut_off_at_first(request: Request) -> Completion:
        _, number = map(int, request.message["content"].split("/"))
        reason = "length" if number == 1 else "stop"
        return Completion("bad" if number == 1 else "good", 1, 10, reason)

    stage, _ = workshop.run(cut_off_at_first)
    assert stage.manifest["truncated"] == SLOTS
    stage, _ = workshop.run(good, fingerprint="f2")
    assert stage.manifest["truncated"] == 0


def test_each_attempt_has_its_own_seed(workshop: Workshop) -> None:
    _, engine = workshop.run(good_at_the_second_try)
    assert len({request.seed for request in engine.requests}) == len(engine.requests)


def test_an_equal_stage_is_not_made_twice_unless_forced(workshop: Workshop) -> None:
    first, _ = workshop.run(good)
    again, engine = workshop.run(good)
    assert engine.requests == []
    assert again.content_hash == first.content_hash
    assert "up to date" in workshop.said[-1]
    _, engine = workshop.run(good, force=True)
    assert len(engine.requests) == SLOTS
    _, engine = workshop.run(good, fingerprint="f2")
    assert len(engine.requests) == SLOTS


def test_a_stage_without_a_good_record_is_not_made_twice_either(workshop: Workshop) -> None:
    def bad(request: Request) -> str:
        return "no end"

    first, _ = workshop.run(bad)
    assert len(first) == 0
    _, engine = workshop.run(bad)
    assert engine.requests == []


@pytest.mark.parametrize("answers_before", [0, 1, 9, SLOTS - 1])
def test_a_killed_stage_asks_only_for_what_is_missing(
    workshop: Workshop, answers_before: int
) -> None:
    undisturbed = list(workshop.run(good)[0].records())
    shutil.rmtree(workshop.stages.data_dir)
    asked: Counter[str] = Counter()

    def killed_after_some(request: Request) -> str:
        if sum(asked.values()) == answers_before:
            raise Killed
        asked[request.message["content"]] += 1
        return good(request)

    with pytest.raises(Killed):
        workshop.run(killed_after_some)
    with pytest.raises(UserError):
        workshop.stages.read(KEY)
    stage, engine = workshop.run(good)
    asked.update(request.message["content"] for request in engine.requests)
    # Whoever had its answer when the kill came, but was not in the journal, is asked again.
    assert sum(asked.values()) <= SLOTS + engine.concurrency
    assert set(asked) == {f"{position}/1" for position in range(SLOTS)}
    assert list(stage.records()) == undisturbed


def test_a_run_that_another_has_taken_over_writes_nothing_more(workshop: Workshop) -> None:
    """Its machine was asleep in the middle of the stage; the other one goes on from its journal."""
    note = workshop.data / "small" / ".iteration=1.run"

    def taken_over_at_the_tenth(request: Request) -> str:
        if request.message["content"].startswith("10/"):
            note.write_text(json.dumps(asdict(Holder("run-2", "another", "host", 1))))
        return good(request)

    with pytest.raises(UserError, match=r"another run \(run run-2\).* has taken over iteration 1"):
        workshop.run(taken_over_at_the_tenth)
    [journal] = workshop.stages.folder(KEY).glob("journal-*")
    written = len(journal.read_text().splitlines())
    assert written <= 10
    note.unlink()
    stage, engine = workshop.run(good)
    assert (len(stage), len(engine.requests)) == (SLOTS, SLOTS - written)


def test_another_fingerprint_does_not_continue_the_journal(workshop: Workshop) -> None:
    def killed_at_the_tenth(request: Request) -> str:
        if request.message["content"].startswith("10/"):
            raise Killed
        return good(request)

    with pytest.raises(Killed):
        workshop.run(killed_at_the_tenth)
    _, engine = workshop.run(good, fingerprint="f2")
    assert len(engine.requests) == SLOTS


def test_records_can_be_chosen_against_in_the_end(workshop: Workshop) -> None:
    looked_at: list[str] = []

    def choose(outcomes: Sequence[Outcome], texts: Iterable[str]) -> list[str | None]:
        looked_at.extend(texts)
        return ["shorter" if outcome.characters < 9 else None for outcome in outcomes]

    stage, _ = workshop.run(good, choose=choose)
    assert looked_at == [f"good {position}/1" for position in range(SLOTS)]
    assert all(record.characters >= 9 for record in stage.records())
    assert stage.manifest["dropped"] == {"shorter": SLOTS - len(stage)}
    assert 0 < len(stage) < SLOTS
    dropped = stage.pick({f"f1-{position}" for position in range(SLOTS)})
    assert {r.drop_reason for r in dropped if not r.kept} == {"shorter"}


def test_a_slot_without_a_good_record_can_flow_on(workshop: Workshop) -> None:
    stage, _ = workshop.run(
        good_at_the_second_try, carry=lambda slot, failed: replace(failed, text="as before")
    )
    assert len(stage) == SLOTS
    carried = [record for record in stage.records() if not record.kept]
    assert [(r.position, r.written, r.drop_reason) for r in carried] == [(7, "as before", "bad")]
    assert [r.written for r in stage.pick({"f1-7.3"})] == ["never"]


def test_the_engines_message_reaches_the_user(workshop: Workshop) -> None:
    with pytest.raises(UserError, match="no such model"):
        workshop.run(lambda _: UserError("no such model"))


def test_a_full_disk_is_told_and_keeps_the_journal(workshop: Workshop, monkeypatch) -> None:
    whole = Journal.append

    def full_at_the_tenth(self: Journal, slot_id: str, attempts: list[Record], work: Work) -> None:
        if len(self.outcomes) == 10:
            raise OSError(28, "No space left on device")
        whole(self, slot_id, attempts, work)

    monkeypatch.setattr(Journal, "append", full_at_the_tenth)
    with pytest.raises(UserError, match="the disk is full"):
        workshop.run(good)
    monkeypatch.setattr(Journal, "append", whole)
    stage, engine = workshop.run(good)
    assert len(engine.requests) == SLOTS - 10
    assert len(stage) == SLOTS


@pytest.mark.parametrize("answers_before", [5, SLOTS + 9, 2 * SLOTS + 1])
def test_a_stages_cost_is_that_of_all_runs(workshop: Workshop, answers_before: int) -> None:
    """Of failed attempts, too, and when only storing it was left to do."""
    undisturbed, _ = workshop.run(good_at_the_second_try, fingerprint="f2")
    asked = 0

    def killed_after_some(request: Request) -> str:
        nonlocal asked
        asked += 1
        if asked > answers_before:
            raise Killed
        return good_at_the_second_try(request)

    def killed_when_all_is_there(outcomes: Sequence[Outcome], texts: Iterable[str]) -> None:
        raise Killed

    with pytest.raises(Killed):
        workshop.run(killed_after_some, choose=killed_when_all_is_there)
    [path] = workshop.stages.folder(KEY).glob("journal-f1*")
    before = Journal(path, Numbers.record).work
    stage, _ = workshop.run(good_at_the_second_try)
    facts = stage.manifest
    assert facts["generated_tokens"] == undisturbed.manifest["generated_tokens"]
    assert facts["seconds"] >= round(before.seconds, 1)
    assert facts["tokens_per_second"] > 0


def test_all_generated_tokens_are_counted(workshop: Workshop) -> None:
    stage, _ = workshop.run(good)
    assert stage.manifest["generated_tokens"] == 2 * SLOTS
    assert stage.manifest["tokens_per_second"] > 0
