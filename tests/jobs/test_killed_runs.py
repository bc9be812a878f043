"""Which runs are found to have lost their process."""

import json
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, EngineEventData
from dagster._core.launcher import RunLauncher

from sl_dagster.jobs.killed_runs import note_killed_runs
from sl_dagster.jobs.killed_runs_sensor import forsaken_runs_sensor
from sl_dagster.resources.storage import run_lock
from sl_dagster.resources.storage.run_lock import Holder
from sl_dagster.resources.storage.stage_store import StageStore

NOBODY = 2**22 + 1  # more than Linux gives


@pytest.fixture
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("home"))) as instance:
        yield instance


def started(instance: dg.DagsterInstance, process: int | None, of: str = "a code server") -> str:
    """Note a run that has been started; returns its id."""
    tags = {"sl_dagster/process": str(process), "sl_dagster/host": platform.node()}
    run = instance.add_run(
        dg.DagsterRun("small_iteration", tags=tags if of == "the command line" else {})
    )
    if process and of == "a code server":
        event = EngineEventData.in_process(process)
        instance.report_engine_event(f"Started process for run (pid: {process}).", run, event)
    began = DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name)
    instance.report_dagster_event(began, run.run_id)
    return run.run_id


def claimed(folder: Path, run_id: str, process: int, where: str = "here") -> Path:
    """Note that a run has claimed an iteration; returns the note."""
    holder = replace(Holder.this(run_id), process=process)
    if where == "on another machine":
        holder = replace(holder, machine="another")
    elif where == "in another container":
        holder = replace(holder, host="another")
    (folder / "small").mkdir(exist_ok=True)
    (folder / "small" / ".iteration=1.lock").touch()
    note = folder / "small" / ".iteration=1.run"
    note.write_text(json.dumps(asdict(holder)))
    return note


def failed(instance: dg.DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs() if run.status == dg.DagsterRunStatus.FAILURE}


@pytest.mark.parametrize("of", ["a code server", "the command line"])
def test_of_two_runs_with_claims_the_dead_one_is_noted(
    of: str, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    dead, alive = started(instance, NOBODY, of), started(instance, os.getpid(), of)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    claimed(tmp_path / "one", dead, NOBODY)
    claimed(tmp_path / "two", alive, os.getpid())
    for folder in ("one", "two"):
        note_killed_runs(instance, tmp_path / folder)
    assert failed(instance) == {dead}
    events = instance.all_logs(dead)
    assert "launched again, it goes on from there" in str(events[-1].dagster_event)


def test_without_a_claim_a_command_is_sought_here_at_once(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    dead = started(instance, NOBODY, "the command line")
    started(instance, os.getpid(), "the command line")
    assert note_killed_runs(instance, tmp_path) == []
    assert failed(instance) == {dead}


def test_without_a_claim_a_run_of_a_code_server_is_sought_twice(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """It may have begun on a host that shares the history."""
    dead, elsewhere = started(instance, NOBODY), started(instance, NOBODY)
    started(instance, os.getpid())
    doubted = note_killed_runs(instance, tmp_path)
    assert failed(instance) == set()
    claimed(tmp_path, elsewhere, NOBODY, "on another machine")
    assert note_killed_runs(instance, tmp_path, doubted) == []
    assert failed(instance) == {dead}


def test_a_torn_claim_is_none(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    dead = started(instance, NOBODY)
    note = claimed(tmp_path, dead, NOBODY)
    note.write_text(note.read_text()[:40])
    assert note_killed_runs(instance, tmp_path) == [dead]


@pytest.mark.parametrize("where", ["on another machine", "in another container"])
def test_a_run_elsewhere_is_dead_when_it_has_been_silent(
    where: str, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "_BEAT", 0.05)
    run = started(instance, NOBODY)
    note = claimed(tmp_path, run, NOBODY, where)
    note_killed_runs(instance, tmp_path, [run])
    assert failed(instance) == set()
    silent = time.time() - 1000
    os.utime(note, (silent, silent))
    note_killed_runs(instance, tmp_path)
    assert failed(instance) == {run}


def test_who_watches_over_runs_of_other_launchers_is_not_corrected(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class InContainers(RunLauncher):
        def launch_run(self, context: object) -> None: ...

        def terminate(self, run_id: str) -> bool:
            return False

    monkeypatch.setattr(instance, "_run_launcher", InContainers())
    runs = [started(instance, NOBODY), started(instance, None)]
    note_killed_runs(instance, tmp_path, runs)
    assert failed(instance) == set()


def test_a_sensor_looks_for_them_and_looks_again(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    stages = StageStore(data_dir=str(tmp_path))
    dead, cursor = started(instance, NOBODY), None
    for expected in (set(), {dead}):
        context = dg.build_sensor_context(instance, cursor, resources={"stages": stages})
        forsaken_runs_sensor(context)
        cursor = context.cursor
        assert failed(instance) == expected
