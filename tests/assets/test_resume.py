"""A run that is killed, and two runs at the same time."""

import contextlib
import functools
import signal
import subprocess
import time
from pathlib import Path

import dagster as dg
import psutil
import pytest

from sl_dagster.resources.storage.run_lock import RunLock
from sl_dagster.resources.storage.stage_key import StageKey
from tests.assets.conftest import Project

pytestmark = pytest.mark.integration

RUN = ("run", "--experiment", "small", "--iterations", "1")


def start(project: Project, *, by_a_script: bool = False) -> subprocess.Popen[bytes]:
    """Start a run; what a script starts in the background ignores SIGINT when it begins."""
    output = (project.root / "output.txt").open("wb")
    ignore = functools.partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    return subprocess.Popen(
        project.command(*RUN),
        env=project.environment,
        stdout=output,
        stderr=output,
        preexec_fn=ignore if by_a_script else None,
    )


def wait_for(condition, process: subprocess.Popen[bytes]) -> None:
    while not condition():
        assert process.poll() is None, "the run ended too early"
        time.sleep(0.02)


def lines(project: Project, stage: str) -> int:
    """How many slots the journal of a running stage has."""
    journals = list((project.data / "small" / stage / "iteration=1").glob("journal-*.jsonl"))
    return sum(path.read_bytes().count(b"\n") for path in journals)


def test_a_run_that_is_killed_twice_goes_on_where_it_was(
    fresh: Project, finished: Project, monkeypatch
) -> None:
    for stage in ("initial_responses", "round1_stage2"):
        process = start(fresh)
        wait_for(lambda stage=stage: lines(fresh, stage) >= 3, process)
        process.kill()
        process.wait()
        assert lines(fresh, stage) >= 3
    assert "continuing:" in (fresh.root / "output.txt").read_text(), "after the first time"
    result = fresh.run_as_a_program(*RUN)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "continuing:" in result.stdout, "after the second time"
    monkeypatch.setenv("DAGSTER_HOME", fresh.environment["DAGSTER_HOME"])
    with dg.DagsterInstance.get() as instance:
        statuses = [run.status.value for run in instance.get_runs()]
    assert statuses == ["SUCCESS", "FAILURE", "FAILURE"], "no killed run is taken for running"
    for name in ("instructions", "initial_responses", "round1_stage2", "generator_sft"):
        assert [r.record_id for r in fresh.stage(name, 1).records()] == [
            r.record_id for r in finished.stage(name, 1).records()
        ], name


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_an_ended_run_leaves_no_training_behind(project: Project, how: signal.Signals) -> None:
    project.change(training={"epochs": 50, "batch_size": 8})  # all else is up to date
    process = start(project, by_a_script=how == signal.SIGTERM)
    wait_for(lambda: trainings(process.pid), process)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(how)
    assert process.wait(timeout=60) != 0
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []


def trainings(pid: int) -> list[psutil.Process]:
    """The trainings below a process: forks of the fork server, whose command they share."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it may end while it is looked at
            parent = child.parent()
            if parent and is_for_training(parent) and is_for_training(child):
                found.append(child)
    return found


def is_for_training(process: psutil.Process) -> bool:
    return "sl_dagster.training.train" in " ".join(process.cmdline())


def test_a_second_run_on_the_same_iteration_is_told_to_wait(fresh: Project) -> None:
    lock = RunLock()
    lock.hold(Path(fresh.data), StageKey("small", "instructions", 1), "run-one")
    result = fresh.run_as_a_program(*RUN)
    assert result.returncode == 1
    message = " ".join(result.stderr.split())
    assert "another run is working on iteration 1 of small (run run-one)" in message
    lock.free()
