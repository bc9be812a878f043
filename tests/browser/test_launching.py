"""Launching and cancelling: what the web UI asks of Dagster's daemon and queue of runs."""

import json
import time
from itertools import pairwise
from typing import Any

import dagster as dg
import psutil
import pytest
import yaml

from tests.assets.conftest import Project
from tests.browser.conftest import WebUI, wait_for
from tests.listening import open_to_others

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


def launch(ui: WebUI, asset: str, config: dict[str, Any]) -> str:
    """Launch an asset of iteration 1 from the launchpad; returns the run's id."""
    params = {
        "selector": _JOB | {"assetSelection": [{"path": ["small", asset]}]},
        "runConfigData": json.dumps({"ops": {f"small__{asset}": {"config": config}}}),
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "1"}]},
    }
    answer = ui.ask(_LAUNCH, params=params)
    assert answer["__typename"] == "LaunchRunSuccess", answer
    return answer["run"]["runId"]


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
        """Forks of the fork server, whose command they share."""
        children = psutil.Process(ui.process.pid).children(recursive=True)
        programs = {child.pid for child in children if program in _command(child)}
        return [child for child in children if child.pid in programs and child.ppid() in programs]

    run_id = launch(ui, asset, config)
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

    lock = RunLock()
    lock.hold(project.data, "small", 1, "test")
    lock.free()
    return True


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_all_its_servers_are_for_this_machine_only(ui: WebUI) -> None:
    assert open_to_others([psutil.Process(ui.process.pid)]) == []
