"""Launching and cancelling: what the web UI asks of Dagster's daemon and queue of runs."""

import time
from typing import Any

import dagster as dg
import psutil
import pytest
import yaml

from tests.assets.conftest import Project
from tests.browser.conftest import JOB, WebUI, wait_for
from tests.listening import open_to_others

pytestmark = pytest.mark.integration

_LAUNCHPAD = """
query ($selector: PipelineSelector!) {
  runConfigSchemaOrError(selector: $selector) { ... on RunConfigSchema { rootDefaultYaml } }
}
"""
_TERMINATE = "mutation ($id: String!) { terminateRun(runId: $id) { __typename } }"


def test_the_launchpad_shows_the_experiments_values(ui: WebUI) -> None:
    shown = yaml.safe_load(ui.ask(_LAUNCHPAD, selector=JOB)["rootDefaultYaml"])["ops"]
    assert shown["small__instructions"]["config"]["instructions"]["count"] == 8
    extension = shown["small__round1_stage1"]["config"]["extension"]
    assert (extension["tries"], extension["sampling"]["temperature"]) == (2, 0.8)
    assert shown["small__generator_lora"]["config"]["training"]["epochs"] == 1


@pytest.fixture
def iteration_1(ui: WebUI) -> None:
    """Iteration 1 of ``small``, as a test before has left it, or else made here."""
    if not (ui.project.data / "small" / "generator_lora" / "iteration=1").exists():
        result = ui.project.run_as_a_program("run", "-e", "small", "--iterations", "1")
        assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("asset", "config", "program"),
    [
        ("instructions", {"instructions": {"count": 3000}}, ""),
        ("generator_lora", {"training": {"epochs": 2000}}, "sl_dagster.training.train"),
    ],
)
@pytest.mark.usefixtures("iteration_1")
def test_cancelling_stops_at_once_and_keeps_the_journal(
    ui: WebUI, instance: dg.DagsterInstance, asset: str, config: dict[str, Any], program: str
) -> None:
    before = ui.project.stage("instructions", 1).path.read_bytes()
    folder = ui.project.data / "small" / "instructions" / "iteration=1"

    def journal() -> int:
        return sum(path.read_bytes().count(b"\n") for path in folder.glob("journal-*.jsonl"))

    def trainings() -> list[psutil.Process]:
        """Forks of the fork server, whose command they share."""
        children = psutil.Process(ui.process.pid).children(recursive=True)
        programs = {child.pid for child in children if program in _command(child)}
        return [child for child in children if child.pid in programs and child.ppid() in programs]

    run_id = ui.launch("1", asset, config)
    wait_for(trainings if program else lambda: journal() >= 3)
    working = trainings() if program else []
    assert ui.ask(_TERMINATE, id=run_id)["__typename"] == "TerminateRunSuccess"
    cancelled = time.monotonic()

    def status() -> dg.DagsterRunStatus:
        run = instance.get_run_by_id(run_id)
        assert run
        return run.status

    wait_for(lambda: status() != dg.DagsterRunStatus.CANCELING, 60)
    assert status() == dg.DagsterRunStatus.CANCELED
    assert psutil.wait_procs(working, timeout=30)[1] == []
    assert time.monotonic() - cancelled < 60
    assert ui.project.stage("instructions", 1).path.read_bytes() == before, "the old one stays"
    if not program:
        assert journal() >= 3
    assert not (ui.project.data / "small" / ".iteration=1.lock").exists() or _is_free(ui.project)


def _is_free(project: Project) -> bool:
    """Whether another run can work on iteration 1."""
    from sl_dagster.resources.storage.run_lock import RunLock
    from sl_dagster.resources.storage.stage_key import StageKey

    lock = RunLock()
    lock.hold(project.data, StageKey("small", "instructions", 1), "test")
    lock.free()
    return True


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_all_its_servers_are_for_this_machine_only(ui: WebUI) -> None:
    assert open_to_others([psutil.Process(ui.process.pid)]) == []
