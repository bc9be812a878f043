"""What a launch knows of the runs before it. The rest is tested through the command line."""

import dagster as dg
import pytest

from sl_dagster.errors import UserError
from sl_dagster.jobs.launch import check_success


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
