"""What is stored of a stage, looked at."""

from pathlib import Path

import duckdb
import pytest

from sl_dagster.experiment import Experiment
from sl_dagster.jobs.launch import failure_of
from sl_dagster.resources.storage import lengths_file
from tests.assets.checks.evaluating import ERROR, WARN, evaluated, executed, store_stage
from tests.elsewhere import database_open_elsewhere


def test_counts_agree(experiment: Experiment, data: Path) -> None:
    store_stage(data, "generator_sft", [3, 5])
    assert evaluated(experiment, data, "counts_agree", "generator_sft").passed
    with duckdb.connect(str(data / "lengths.duckdb")) as connection:
        connection.execute("DELETE FROM record_lengths WHERE words = 5")
    result = executed(experiment, data, "counts_agree", "generator_sft")
    [evaluation] = result.get_asset_check_evaluations()
    assert (evaluation.passed, evaluation.severity) == (False, ERROR)
    assert not result.success, "an error ends the run"
    assert failure_of(result) == (
        "check counts_agree failed: the files of small/generator_sft of iteration 1 have "
        "2 records, 2 kept, 8 words, the lengths database 1 records, 1 kept, 3 words: "
        "materialize it again to make them agree"
    )


def test_counts_that_cannot_be_compared_are_a_warning(
    experiment: Experiment, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lengths_file, "_SECONDS_TO_WAIT", 0.2)
    store_stage(data, "generator_sft", [3, 5])
    with database_open_elsewhere(data / "lengths.duckdb") as pid:
        evaluation = evaluated(experiment, data, "counts_agree", "generator_sft")
    assert (evaluation.passed, evaluation.severity) == (False, WARN)
    assert f"(process {pid}): close it there" in str(evaluation.description)


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
