"""What a launch knows of the runs before it. The rest is tested through the command line."""

import os

import dagster as dg
import pytest

from sl_dagster.errors import UserError
from sl_dagster.jobs.launch import check_success, note_killed_runs

STARTED, FAILURE = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE
NOBODY = 2**22 + 1  # more than Linux gives


def test_runs_of_dead_processes_are_noted_as_failed() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        tags = {
            "killed": {"sl_dagster/process": str(NOBODY)},
            "alive": {"sl_dagster/process": str(os.getpid())},
            "of_the_ui": {},
        }
        runs = {name: dg.DagsterRun(name, status=STARTED, tags=tags[name]) for name in tags}
        for run in runs.values():
            instance.add_run(run)
        note_killed_runs(instance)
        found = {run.job_name: run.status for run in instance.get_runs()}
        assert found == {"killed": FAILURE, "alive": STARTED, "of_the_ui": STARTED}
        events = instance.all_logs(runs["killed"].run_id)
        assert "launched again, it goes on from there" in str(events[-1].dagster_event)


def ended_by(error: BaseException) -> dg.ExecuteInProcessResult:
    @dg.op
    def step() -> None:
        raise error

    @dg.job
    def job() -> None:
        step()

    return job.execute_in_process(raise_on_error=False)


def test_a_run_that_somebody_has_ended_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        check_success(ended_by(KeyboardInterrupt()))
    printed = capsys.readouterr().out
    assert "interrupted: what is finished is kept; launched again, it goes on" in printed
    with pytest.raises(UserError, match="the disk is full"):
        check_success(ended_by(dg.Failure("the disk is full")))
