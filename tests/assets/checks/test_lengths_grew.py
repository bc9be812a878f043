"""Lengths of one iteration beside those of the one before."""

from pathlib import Path

from sl_dagster.experiment import Experiment
from tests.assets.checks.evaluating import WARN, evaluated, store_stage


def test_lengths_grew_by_extended_responses(experiment: Experiment, data: Path) -> None:
    store_stage(data, "initial_responses", [10, 20])
    store_stage(data, "extended_responses", [30])
    assert evaluated(experiment, data, "lengths_grew", "length_report").passed
    store_stage(data, "extended_responses", [30], iteration=2)
    evaluation = evaluated(experiment, data, "lengths_grew", "length_report", 2)
    assert (evaluation.passed, evaluation.severity) == (False, WARN)
    assert "30.0 before, 30.0 now" in str(evaluation.description)
    store_stage(data, "extended_responses", [70], iteration=4)
    evaluation = evaluated(experiment, data, "lengths_grew", "length_report", 4)
    assert (evaluation.passed, evaluation.severity) == (False, WARN)
    assert "nothing to compare 70.0 words with: small/ext" in str(evaluation.description)
