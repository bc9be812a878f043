"""Texts that the token limit cut off."""

from pathlib import Path

from sl_dagster.experiment import Experiment
from tests.assets.checks.evaluating import ERROR, evaluated, store_stage


def test_nothing_truncated(experiment: Experiment, data: Path) -> None:
    store_stage(data, "instructions", [3])
    assert evaluated(experiment, data, "nothing_truncated", "instructions").passed
    store_stage(data, "round1_stage2", [3], finish_reason="length", kept=False)
    assert evaluated(experiment, data, "nothing_truncated", "round1_stage2").passed
    cut = {"before": "", "after": "Instruction 5: and so on up to the"}
    store_stage(data, "instructions", [3], finish_reason="length", commentary=cut)
    assert evaluated(experiment, data, "nothing_truncated", "instructions").passed
    store_stage(data, "initial_responses", [3, 4], finish_reason="length")
    evaluation = evaluated(experiment, data, "nothing_truncated", "initial_responses")
    assert (evaluation.passed, evaluation.severity) == (False, ERROR)
    assert "initial_responses-1-0, initial_responses-1-1" in str(evaluation.description)
