"""What a sensor asks for when it looks."""

from pathlib import Path

import dagster as dg

from sl_dagster.definitions import build_definitions
from sl_dagster.experiment import Experiment
from sl_dagster.resources.named import resources_in


def requested(
    sensor: dg.SensorDefinition, experiment: Experiment, instance: dg.DagsterInstance
) -> list[dg.RunRequest]:
    """The runs that a sensor of an experiment requests, given a history."""
    definitions = build_definitions([experiment], resources_in(Path("unused")))
    context = dg.build_sensor_context(instance, definitions=definitions)
    return list(sensor.evaluate_tick(context).run_requests or [])
