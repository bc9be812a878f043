"""The job that makes anew what is out of date: it launches runs into the history it runs in."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from sl_dagster.definitions import build_definitions
from sl_dagster.experiment import load_experiment
from sl_dagster.jobs.staleness import Staleness
from sl_dagster.resources.named import resources_in


def test_what_is_out_of_date_is_made_in_runs_of_the_same_history(
    write_experiment: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = {1: [], 2: ["seeds"], 3: ["seeds"]}
    monkeypatch.setattr(Staleness, "out_of_date", lambda _, iteration: stale[iteration])
    experiment = load_experiment(write_experiment(iterations=3))
    definitions = build_definitions([experiment], resources_in(tmp_path / "data"))
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_job_def("small_refresh")
        assert job.execute_in_process(instance=instance).success
        runs = instance.get_runs(dg.RunsFilter(job_name="small_iteration"))
        assert sorted(run.tags["dagster/partition"] for run in runs) == ["2", "3"]
        assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
    assert list((tmp_path / "data" / "small" / "seeds").rglob("records.parquet"))
