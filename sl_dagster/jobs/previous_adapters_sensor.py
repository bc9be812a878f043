"""A sensor that notices a retrained adapter and refreshes the next iteration's starting point.

With that, the assets of the next iteration show as out of date, and a person decides what to rerun.
"""

from functools import partial

import dagster as dg

from sl_dagster.experiment import Experiment
from sl_dagster.jobs.history import latest_materialization, something_runs


def previous_adapters_sensor(experiment: Experiment) -> dg.SensorDefinition:
    """The sensor of one experiment; switched on by default, since it only looks adapters up."""
    roots = [dg.AssetKey([experiment.name, f"previous_{role}"]) for role in experiment.roles]

    @dg.sensor(
        name=f"{experiment.name}_retrained",
        asset_selection=dg.AssetSelection.assets(*roots),
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "When an iteration's adapter has been trained anew and nothing runs, materializes "
            "`previous_*` of the next one, if that has been begun; its assets then show as out of "
            "date."
        ),
    )
    def retrained(context: dg.SensorEvaluationContext) -> list[dg.RunRequest]:
        # A run that goes on to the next iteration looks the adapters up itself, and must not find
        # that iteration taken.
        if something_runs(context.instance):
            return []
        made = partial(latest_materialization, context.instance, experiment.name)
        requests = []
        for role in experiment.roles:
            for iteration in range(1, experiment.iterations):
                lora = made(f"{role}_lora", iteration)
                previous = made(f"previous_{role}", iteration + 1)
                if lora and previous and lora.storage_id > previous.storage_id:
                    requests.append(
                        dg.RunRequest(
                            run_key=f"{role}-{iteration}-{lora.storage_id}",
                            asset_selection=[dg.AssetKey([experiment.name, f"previous_{role}"])],
                            partition_key=str(iteration + 1),
                        )
                    )
        return requests

    return retrained
