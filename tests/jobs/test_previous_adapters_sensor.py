"""The sensor that notices a retrained adapter."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from sl_dagster.experiment import load_experiment
from sl_dagster.jobs.previous_adapters_sensor import previous_adapters_sensor
from tests.jobs.ticks import requested


@pytest.fixture
def evaluate(write_experiment: Callable[..., Path]) -> Callable[[dg.DagsterInstance], list]:
    experiment = load_experiment(write_experiment())
    sensor = previous_adapters_sensor(experiment)

    def requests(instance: dg.DagsterInstance) -> list[tuple]:
        return [
            (request.partition_key, [key.path[-1] for key in request.asset_selection or []])
            for request in requested(sensor, experiment, instance)
        ]

    return requests


def made(instance: dg.DagsterInstance, asset: str, iteration: int) -> None:
    key = dg.AssetKey(["small", asset])
    instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=str(iteration)))


def test_only_what_was_begun_and_is_older_is_refreshed(evaluate) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert evaluate(instance) == []
        made(instance, "generator_lora", 1)
        made(instance, "extender_lora", 1)
        assert evaluate(instance) == [], "iteration 2 has not been begun"
        made(instance, "previous_generator", 2)
        made(instance, "previous_extender", 2)
        assert evaluate(instance) == [], "iteration 2 has what iteration 1 made"
        made(instance, "generator_lora", 1)
        assert evaluate(instance) == [("2", ["previous_generator"])]
        made(instance, "previous_generator", 2)
        assert evaluate(instance) == []


def test_it_waits_while_something_runs(evaluate) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        made(instance, "previous_generator", 2)
        made(instance, "generator_lora", 1)
        run = dg.DagsterRun("small_iteration", status=dg.DagsterRunStatus.STARTED)
        instance.add_run(run)
        assert evaluate(instance) == []
        instance.delete_run(run.run_id)
        assert evaluate(instance) == [("2", ["previous_generator"])]
