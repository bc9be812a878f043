"""The job that makes anew what is out of date: it launches runs into the history it runs in."""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import dagster as dg
import pytest

from sl_dagster.definitions import build_definitions
from sl_dagster.experiment import load_experiment
from sl_dagster.jobs.staleness import Finding, Staleness
from sl_dagster.resources.named import resources_in


def test_what_is_out_of_date_is_made_in_runs_of_the_same_history(
    write_experiment: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verdicts(_: Staleness, partition: str) -> list[Finding]:
        why = "" if partition == "1" else "made from its file of an earlier version"
        return [Finding(dg.AssetKey(["small", "seeds"]), None, Mock(), why)]

    monkeypatch.setattr(Staleness, "verdicts", verdicts)
    monkeypatch.setattr(Staleness, "everything", lambda staleness: verdicts(staleness, "2"))
    experiment = load_experiment(write_experiment(iterations=3))
    definitions = build_definitions([experiment], resources_in(tmp_path / "data"))
    job = definitions.resolve_job_def("small_refresh")
    with dg.DagsterInstance.ephemeral() as instance:

        def refresh(**config: bool) -> list[str]:
            """What a refresh says."""
            given = {"ops": {"small_make_anew": {"config": config}}}
            result = job.execute_in_process(instance=instance, run_config=given)
            assert result.success
            lines = instance.all_logs(result.run_id)
            return [line.user_message for line in lines if line.dagster_event is None]

        stale = "seeds: made from its file of an earlier version"
        assert refresh(dry_run=True) == [f"would make {stale}"]
        assert instance.get_runs(dg.RunsFilter(job_name="small_iteration")) == []
        nothing = "iteration 1: nothing is out of date"
        assert refresh() == [nothing, f"makes {stale}", f"makes {stale}"]
        runs = instance.get_runs(dg.RunsFilter(job_name="small_iteration"))
        assert sorted(run.tags["dagster/partition"] for run in runs) == ["2", "3"]
        assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
    assert list((tmp_path / "data" / "small" / "seeds").rglob("records.parquet"))
