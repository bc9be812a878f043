"""What is said of a run whose process was killed."""

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent
from dagster._core.execution.plan.objects import StepFailureData

from sl_dagster.jobs.killed_runs_sensor import killed_runs_sensor

BEGAN, STEP_FAILED = dg.DagsterEventType.RUN_START, dg.DagsterEventType.STEP_FAILURE


@pytest.mark.parametrize(
    ("events", "noted"),
    [([BEGAN], True), ([BEGAN, STEP_FAILED], False), ([], False)],
    ids=["killed", "a step failed", "never began"],
)
def test_it_goes_on_when_it_is_launched_again(
    events: list[dg.DagsterEventType], noted: bool
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.DagsterRun("small_iteration", status=dg.DagsterRunStatus.STARTED)
        instance.add_run(run)
        for kind in events:
            failed = StepFailureData(None, None) if kind is STEP_FAILED else None
            event = DagsterEvent(kind.value, run.job_name, event_specific_data=failed)
            instance.report_dagster_event(event, run.run_id)
        instance.report_run_failed(run, "the process ended unexpectedly")
        [failure] = instance.all_logs(run.run_id, dg.DagsterEventType.RUN_FAILURE)
        assert failure.dagster_event
        killed_runs_sensor(
            dg.build_run_status_sensor_context(
                sensor_name="killed_runs",
                dagster_event=failure.dagster_event,
                dagster_instance=instance,
                dagster_run=run,
            ).for_run_failure()
        )
        said = [log.message for log in instance.all_logs(run.run_id)]
        assert any("launched again, it goes on from there" in line for line in said) is noted
