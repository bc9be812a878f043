"""Launching and cancelling from the web UI: the real webserver, daemon and queue of runs."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
import yaml

from tests.assets.conftest import Project, new_project

pytestmark = pytest.mark.integration

_BACKFILL = """
mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
_BACKFILL_STATUS = """
query ($id: String!) {
  partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } }
}
"""
_LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on PythonError { message }
  }
}
"""
_LAUNCHPAD = """
query ($selector: PipelineSelector!) {
  runConfigSchemaOrError(selector: $selector) { ... on RunConfigSchema { rootDefaultYaml } }
}
"""
_TERMINATE = "mutation ($id: String!) { terminateRun(runId: $id) { __typename } }"
_JOB = {
    "repositoryLocationName": "sl_dagster.definitions",
    "repositoryName": "__repository__",
    "pipelineName": "small_iteration",
}


class WebUI:
    """The web UI of a project, spoken to as a browser speaks to it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}/graphql"
        with (project.root / "ui.txt").open("wb") as output:
            self.process = subprocess.Popen(
                project.command("ui", "--port", str(port)),
                # On a busy machine a run's process needs longer to start than Dagster allows.
                env=project.environment | {"DAGSTER_GRPC_TIMEOUT_SECONDS": "600"},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        wait_for(self._is_up)

    def ask(self, query: str, **variables: Any) -> Any:
        """The answer to a GraphQL query; its one field."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer
        [value] = answer["data"].values()
        return value

    def launch(self, asset: str, config: dict[str, Any]) -> str:
        """Launch an asset of iteration 1 from the launchpad; returns the run's id."""
        params = {
            "selector": _JOB | {"assetSelection": [{"path": ["small", asset]}]},
            "runConfigData": json.dumps({"ops": {f"small__{asset}": {"config": config}}}),
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "1"}]},
        }
        answer = self.ask(_LAUNCH, params=params)
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]

    def close(self) -> None:
        # In the background it may be deaf to SIGINT and SIGTERM.
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _is_up(self) -> bool:
        assert self.process.poll() is None, (self.project.root / "ui.txt").read_text()
        try:
            self.ask("{ version }")
        except OSError:
            return False
        return True


def wait_for(condition: Callable[[], Any], seconds: float = 900) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this takes too long"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebUI]:
    """The web UI of a project on which nothing has been run yet, as small as it can be."""
    project = new_project(tmp_path_factory.mktemp("ui"))
    project.change(
        heldout=None,
        iterations=2,
        instructions={"count": 12, "max_similarity": 1, "sampling": {"max_tokens": 60}},
        extension={"rounds": 1, "samples": 1, "tries": 2, "max_tokens_per_input_word": 4.0},
        training={"epochs": 1, "batch_size": 2, "learning_rate": 1.0e-3},
    )
    ui = WebUI(project)
    yield ui
    ui.close()


@pytest.fixture
def instance(ui: WebUI, monkeypatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", ui.project.environment["DAGSTER_HOME"])
    with dg.DagsterInstance.get() as instance:
        yield instance


def versions(instance: dg.DagsterInstance, asset: str, iteration: int) -> str:
    [record] = instance.fetch_materializations(
        dg.AssetRecordsFilter(
            asset_key=dg.AssetKey(["small", asset]), asset_partitions=[str(iteration)]
        ),
        limit=1,
    ).records
    assert record.asset_materialization and record.asset_materialization.tags
    return record.asset_materialization.tags["dagster/data_version"]


def test_the_launchpad_shows_the_experiments_values(ui: WebUI) -> None:
    shown = yaml.safe_load(ui.ask(_LAUNCHPAD, selector=_JOB)["rootDefaultYaml"])["ops"]
    assert shown["small__instructions"]["config"]["instructions"]["count"] == 12
    extension = shown["small__round1_stage1"]["config"]["extension"]
    assert (extension["tries"], extension["sampling"]["temperature"]) == (2, 0.8)
    assert shown["small__generator_lora"]["config"]["training"]["epochs"] == 1


def test_iterations_run_in_order_each_from_the_one_before(
    ui: WebUI, instance: dg.DagsterInstance
) -> None:
    names = {path.name for path in Path(ui.project.data).glob("small/*")}
    assert not names, "nothing has been made"
    assets = ["seeds", "previous_generator", "previous_extender", "instructions",
              "initial_responses", "round1_stage1", "round1_stage2", "extended_responses",
              "generator_sft", "extender_sft", "generator_lora", "extender_lora",
              "length_report", "length_growth"]  # fmt: skip
    params = {
        "assetSelection": [{"path": ["small", name]} for name in assets],
        "partitionNames": ["1", "2"],
    }
    answer = ui.ask(_BACKFILL, params=params)
    assert answer["__typename"] == "LaunchBackfillSuccess", answer
    backfill = answer["backfillId"]
    ends = ("COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED", "COMPLETED")
    wait_for(lambda: ui.ask(_BACKFILL_STATUS, id=backfill)["status"] in ends)
    assert ui.ask(_BACKFILL_STATUS, id=backfill)["status"] == "COMPLETED_SUCCESS"
    made = instance.get_run_records(dg.RunsFilter(tags={"dagster/backfill": backfill}))
    runs = sorted(made, key=lambda record: record.start_time or 0)
    assert all(run.dagster_run.status == dg.DagsterRunStatus.SUCCESS for run in runs)
    for before, after in pairwise(runs):
        assert (before.end_time or 0) <= (after.start_time or 0), "one after another"
    partitions = [run.dagster_run.tags.get("dagster/partition") for run in runs]
    assert [partition for partition in partitions if partition] == ["1", "2"]
    for role in ("generator", "extender"):
        assert versions(instance, f"previous_{role}", 2) == versions(instance, f"{role}_lora", 1)
        assert versions(instance, f"{role}_lora", 2) != versions(instance, f"{role}_lora", 1)


@pytest.mark.parametrize(
    ("asset", "config", "program"),
    [
        ("instructions", {"instructions": {"count": 3000}}, ""),
        ("generator_lora", {"training": {"epochs": 2000}}, "sl_dagster.training.train"),
    ],
)
def test_cancelling_stops_at_once_and_keeps_the_journal(
    ui: WebUI, instance: dg.DagsterInstance, asset: str, config: dict[str, Any], program: str
) -> None:
    before = ui.project.stage("instructions", 1).path.read_bytes()
    folder = ui.project.data / "small" / "instructions" / "iteration=1"

    def journal() -> int:
        return sum(path.read_bytes().count(b"\n") for path in folder.glob("journal-*.jsonl"))

    def trainings() -> list[psutil.Process]:
        children = psutil.Process(ui.process.pid).children(recursive=True)
        return [child for child in children if program in " ".join(_command(child))]

    run_id = ui.launch(asset, config)
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
    from sl_dagster.resources.run_lock import RunLock

    lock = RunLock()
    lock.hold(project.data, "small", 1, "test")
    lock.free()
    return True


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
