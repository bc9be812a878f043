"""The sensor that starts the next iteration."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from sl_dagster.experiment import load_experiment
from sl_dagster.jobs.next_iteration_sensor import next_iteration_sensor
from tests.jobs.ticks import requested

REPORT = dg.AssetKey(["small", "length_report"])


@pytest.fixture
def evaluate(write_experiment: Callable[..., Path]) -> Callable[[dg.DagsterInstance], list]:
    experiment = load_experiment(write_experiment(iterations=3))
    sensor = next_iteration_sensor(experiment)
    assert sensor.default_status == dg.DefaultSensorStatus.STOPPED

    def requests(instance: dg.DagsterInstance) -> list[tuple[str | None, str | None]]:
        return [
            (request.partition_key, request.run_key)
            for request in requested(sensor, experiment, instance)
        ]

    return requests


def complete(instance: dg.DagsterInstance, iteration: int) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(REPORT, partition=str(iteration)))


def test_each_complete_iteration_starts_the_next_up_to_the_last(evaluate) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert evaluate(instance) == []
        complete(instance, 1)
        [(iteration, key)] = evaluate(instance)
        assert iteration == "2"
        assert evaluate(instance) == [("2", key)], "the same key: the daemon starts it once"
        complete(instance, 2)
        assert [iteration for iteration, _ in evaluate(instance)] == ["3"]
        complete(instance, 3)
        assert evaluate(instance) == []


def test_what_failed_is_tried_again_when_the_iteration_before_is_new(evaluate) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        complete(instance, 1)
        [(_, first)] = evaluate(instance)
        complete(instance, 1)
        [(_, second)] = evaluate(instance)
        assert first != second
