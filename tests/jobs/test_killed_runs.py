"""Which runs are found to have lost their process."""

import json
import os
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
LONG_AGO = 1000.0  # seconds


@pytest.fixture
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("home"))) as instance:
        yield instance


def started(
    instance: dg.DagsterInstance, process: int | None, of: str = "a code server", age: float = 0
) -> str:
    """Note a run that has been started; returns its id."""
    by_command = {"sl_dagster/process": str(process)} if of == "the command line" else {}
    run = instance.add_run(dg.DagsterRun("small_iteration", tags=by_command))
    if process and of == "a code server":
        event = EngineEventData.in_process(process)
        instance.report_engine_event(f"Started process for run (pid: {process}).", run, event)
    began = DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name)
    instance.report_dagster_event(began, run.run_id, timestamp=time.time() - age)
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
    assert note_killed_runs(instance, tmp_path / "one") == [dead]
    assert note_killed_runs(instance, tmp_path / "two") == []
    assert failed(instance) == {dead}
    events = instance.all_logs(dead)
    assert "launched again, it goes on from there" in str(events[-1].dagster_event)


@pytest.mark.parametrize("of", ["a code server", "the command line"])
def test_without_a_claim_its_process_counts_once_it_had_the_time_to_claim(
    of: str, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    dead = started(instance, NOBODY, of, age=LONG_AGO)
    started(instance, os.getpid(), of, age=LONG_AGO)
    started(instance, NOBODY, of)  # perhaps on a host that shares the history
    assert note_killed_runs(instance, tmp_path) == [dead]
    assert failed(instance) == {dead}


def test_a_torn_claim_is_none(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    dead = started(instance, NOBODY, age=LONG_AGO)
    note = claimed(tmp_path, dead, NOBODY)
    note.write_text(note.read_text()[:40])
    assert note_killed_runs(instance, tmp_path) == [dead]


@pytest.mark.parametrize("where", ["on another machine", "in another container"])
def test_a_run_elsewhere_is_dead_when_it_has_been_silent(
    where: str, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "_BEAT", 0.05)
    run = started(instance, NOBODY, age=LONG_AGO)
    note = claimed(tmp_path, run, NOBODY, where)
    assert note_killed_runs(instance, tmp_path) == []
    silent = time.time() - LONG_AGO
    os.utime(note, (silent, silent))
    assert note_killed_runs(instance, tmp_path) == [run]


def test_who_watches_over_runs_of_other_launchers_is_not_corrected(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class InContainers(RunLauncher):
        def launch_run(self, context: object) -> None: ...

        def terminate(self, run_id: str) -> bool:
            return False

    monkeypatch.setattr(instance, "_run_launcher", InContainers())
    started(instance, NOBODY, age=LONG_AGO)
    started(instance, None, age=LONG_AGO)
    assert note_killed_runs(instance, tmp_path) == []


def test_a_sensor_looks_for_them(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    context = dg.build_sensor_context(
        instance, resources={"stages": StageStore(data_dir=str(tmp_path))}
    )
    assert "no run has lost its process" in str(forsaken_runs_sensor(context))
    dead = started(instance, NOBODY, age=LONG_AGO)
    assert dead in str(forsaken_runs_sensor(context))
    assert failed(instance) == {dead}
