"""What an iteration has achieved, looked at."""

from collections.abc import Callable
from pathlib import Path

from sl_dagster.experiment import Experiment, load_experiment
from tests.assets.checks.evaluating import WARN, evaluated, executed, store_stage


def test_enough_grown(experiment: Experiment, data: Path) -> None:
    store_stage(data, "extended_responses", [9], dropped={"not_grown": 1, "selection": 2})
    evaluation = evaluated(experiment, data, "enough_grown", "extended_responses")
    assert (evaluation.passed, evaluation.metadata["share"].value) == (True, 0.75)
    store_stage(data, "extended_responses", [9], dropped={"not_grown": 2})
    result = executed(experiment, data, "enough_grown", "extended_responses")
    [evaluation] = result.get_asset_check_evaluations()
    assert (evaluation.passed, evaluation.severity) == (False, WARN)
    assert "33% of the responses have grown enough" in str(evaluation.description)
    assert result.success, "a warning ends no run"


def test_enough_accepted(write_experiment: Callable[..., Path], data: Path) -> None:
    (write_experiment().parent / "heldout.jsonl").write_text("")
    experiment = load_experiment(write_experiment(heldout={"file": "heldout.jsonl"}))
    store_stage(data, "heldout_responses", [9])
    assert evaluated(experiment, data, "enough_accepted", "heldout_responses").passed
    store_stage(data, "heldout_responses", [9], drop_reason="repetition")
    evaluation = evaluated(experiment, data, "enough_accepted", "heldout_responses")
    assert (evaluation.passed, evaluation.severity) == (False, WARN)


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
