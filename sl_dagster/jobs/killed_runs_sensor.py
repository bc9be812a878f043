"""A sensor that says of runs whose process was killed that launching them again goes on."""

import dagster as dg

from sl_dagster.jobs.launch import CONTINUES


@dg.run_failure_sensor(
    name="killed_runs",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "When a run has failed and none of its steps has, its process was killed: says in its log "
        "that what it finished is kept, and that it goes on when it is launched again."
    ),
)
def killed_runs_sensor(context: dg.RunFailureSensorContext) -> None:
    """Notes it in the run's log, where Dagster says no more than that the process has ended."""
    # A run that never began has no steps that it could have lost.
    began = context.instance.get_run_record_by_id(context.dagster_run.run_id)
    if began and began.start_time and not context.get_step_failure_events():
        context.instance.report_engine_event(
            f"its process was killed; what it finished is kept: {CONTINUES}", context.dagster_run
        )
