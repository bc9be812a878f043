"""The adapters that an iteration starts from."""

from pathlib import Path

from sl_dagster.assets.stage.run import base_model
from sl_dagster.experiment import Experiment
from tests.assets.checks.evaluating import WARN, evaluated, store_adapter


def test_starts_from_current(experiment: Experiment, data: Path) -> None:
    base = base_model(experiment).fingerprint
    store_adapter(data, "previous_generator", 1, base, "generator")
    assert evaluated(experiment, data, "starts_from_current", "previous_generator").passed
    store_adapter(data, "previous_generator", 1, "base-other", "generator")
    assert not evaluated(experiment, data, "starts_from_current", "previous_generator").passed
    store_adapter(data, "extender_lora", 1, "old", "extender")
    store_adapter(data, "previous_extender", 2, "old", "extender")
    assert evaluated(experiment, data, "starts_from_current", "previous_extender", 2).passed
    store_adapter(data, "extender_lora", 1, "new", "extender")
    evaluation = evaluated(experiment, data, "starts_from_current", "previous_extender", 2)
    assert (evaluation.passed, evaluation.severity) == (False, WARN)
    assert "is old, but what it was taken from is new now" in str(evaluation.description)
