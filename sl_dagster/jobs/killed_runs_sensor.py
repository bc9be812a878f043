"""Sensors that note runs whose process was killed, and say that launching them again goes on."""

from pathlib import Path

import dagster as dg

from sl_dagster.jobs.killed_runs import CONTINUES, note_killed_runs
from sl_dagster.resources.storage.stage_store import StageStore


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


@dg.sensor(
    name="forsaken_runs",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Notes runs as failed whose process was killed together with the code server that watched "
        "over them, so that others need not wait for them."
    ),
)
def forsaken_runs_sensor(
    context: dg.SensorEvaluationContext, stages: dg.ResourceParam[StageStore]
) -> dg.SkipReason:
    """Looks at all runs that have not ended; it starts none."""
    doubted = (context.cursor or "").split()
    doubtful = note_killed_runs(context.instance, Path(stages.data_dir), doubted)
    context.update_cursor(" ".join(doubtful))
    return dg.SkipReason(f"{len(doubtful)} runs have no process that is known of")
