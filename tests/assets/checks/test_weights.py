"""The weights of an iteration, looked at."""

import math
from pathlib import Path

import pytest

from sl_dagster.assets.checks.weights import loss_verdict
from sl_dagster.assets.stage.run import base_model
from sl_dagster.experiment import Experiment
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.storage.adapter_store import AdapterStore, StoredAdapter
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.training.job import LossPoint, TrainingOutcome
from tests.assets.checks.evaluating import ERROR, WARN, evaluated, store_adapter


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


def outcome(losses: list[float], evaluation: list[float] = []) -> TrainingOutcome:  # noqa: B006
    return TrainingOutcome(
        examples=1,
        truncated=0,
        longest=9,
        tokens=9,
        steps=len(losses),
        seconds=1,
        losses=[LossPoint(step=step, loss=loss) for step, loss in enumerate(losses, 1)],
        evaluation_losses=[LossPoint(step=step, loss=loss) for step, loss in enumerate(evaluation)],
    )


@pytest.mark.parametrize(
    ("losses", "evaluation", "expected", "said"),
    [
        ([2.0, 1.0], [2.0, 1.5], (True, WARN), None),
        ([2.0], [], (True, WARN), None),
        ([3.0, 1.9, *[2.0] * 16, 1.9, 2.2], [], (True, WARN), None),
        ([1.0, 2.0], [], (False, WARN), "did not fall: training loss from 1.000 to 2.000"),
        ([2.0, 1.0], [1.0, 1.2], (False, WARN), "did not fall: evaluation loss from 1.0"),
        ([2.0, math.nan], [], (False, ERROR), "the training loss is not finite"),
        ([2.0, 1.0], [math.inf, 1.0], (False, ERROR), "the evaluation loss is not finite"),
    ],
)
def test_loss_fell(losses, evaluation, expected, said) -> None:
    verdict = loss_verdict(outcome(losses, evaluation))
    assert (verdict.passed, verdict.severity) == expected
    if said is None:
        assert verdict.description is None
    else:
        assert said in str(verdict.description)


def test_a_loss_that_is_not_a_number_is_still_one_when_it_is_read_back(
    experiment: Experiment, data: Path
) -> None:
    adapter = Adapter("generator", "f", None, 1)
    stored = StoredAdapter(adapter, "m", outcome([2.0, math.nan]))
    AdapterStore(data_dir=str(data)).make_current(StageKey("small", "generator_lora", 1), stored)
    evaluation = evaluated(experiment, data, "loss_fell", "generator_lora")
    assert (evaluation.passed, evaluation.severity) == (False, ERROR)
