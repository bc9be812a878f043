"""A sensor that starts an iteration when the one before it is complete."""

from functools import partial

import dagster as dg

from sl_dagster.experiment import Experiment
from sl_dagster.jobs.asset_jobs import job_name
from sl_dagster.jobs.history import latest_materialization

_LAST_ASSET = "length_report"


def next_iteration_sensor(experiment: Experiment) -> dg.SensorDefinition:
    """The sensor of one experiment; switched off by default."""

    @dg.sensor(
        name=f"{experiment.name}_next_iteration",
        job_name=job_name(experiment.name, "iteration"),
        minimum_interval_seconds=30,
        description=(
            "When an iteration is complete, starts the next one, up to iteration "
            f"{experiment.iterations}. Switch it on, run iteration 1, and the others follow."
        ),
    )
    def next_iteration(context: dg.SensorEvaluationContext) -> list[dg.RunRequest]:
        completed = partial(latest_materialization, context.instance, experiment.name, _LAST_ASSET)
        for iteration in range(1, experiment.iterations):
            complete = completed(iteration)
            if complete is None:
                return []
            if completed(iteration + 1) is None:
                # With the completion in its key: an iteration that failed is not started again
                # and again, but once more when the one before it has been made anew.
                run_key = f"{iteration + 1}-{complete.storage_id}"
                return [dg.RunRequest(run_key=run_key, partition_key=str(iteration + 1))]
        return []

    return next_iteration
