"""Which checks there are, and that a run evaluates all of them."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from sl_dagster.assets import assets_of
from sl_dagster.assets.checks import experiment_checks
from sl_dagster.assets.stage.asset import UP_TO_DATE
from sl_dagster.experiment import STAGES_AFTER_THE_LOOP, Experiment, load_experiment
from tests.assets.checks.evaluating import ERROR
from tests.assets.conftest import Project

OUTSIDE_THE_LOOP = ("seeds", "heldout_base", *STAGES_AFTER_THE_LOOP)


def test_what_is_checked(experiment: Experiment, write_experiment: Callable[..., Path]) -> None:
    def checked(one: Experiment) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for check in experiment_checks(one):
            for key in check.check_keys:
                found.setdefault(key.asset_key.path[-1], set()).add(key.name)
        return found

    assert checked(experiment)["round1_stage1"] == {"counts_agree"}
    assert checked(experiment)["round1_stage2"] == {"counts_agree", "nothing_truncated"}
    assert checked(experiment)["generator_lora"] == {"loss_fell", "changes_output"}
    assert checked(experiment)["previous_extender"] == {"starts_from_current"}
    assert checked(experiment)["length_report"] == {"lengths_grew"}
    assert "heldout_responses" not in checked(experiment)
    (write_experiment().parent / "heldout.jsonl").write_text("")
    control = load_experiment(
        write_experiment("control", extension={"rounds": 0}, heldout={"file": "heldout.jsonl"})
    )
    assert checked(control)["heldout_responses"] == {"counts_agree", "enough_accepted"}
    assert "length_report" not in checked(control), "a control is not meant to grow"
    assert "extender_lora" not in checked(control), "nor does it train whom it does not ask"


@pytest.mark.integration
def test_a_run_evaluates_every_check(finished: Project) -> None:
    trials = []
    for iteration in ("1", "2"):
        printed = (finished.root / "run.txt").read_text()
        assert "✗" not in printed
        history = evaluations(finished, iteration)
        expected = {
            key
            for check in experiment_checks(finished.experiment)
            for key in check.check_keys
            if key.asset_key.path[-1] not in OUTSIDE_THE_LOOP
        }
        of_every_asset = {key for key in history if key.name == UP_TO_DATE}
        iteration_assets = {a.name for a in assets_of(finished.experiment)
                            if (a.job, a.per) == ("iteration", "iteration")}  # fmt: skip
        assert {key.asset_key.path[-1] for key in of_every_asset} == iteration_assets
        assert set(history) - of_every_asset == expected
        assert all(e.passed for e in history.values() if e.severity is ERROR)
        for trial in (history[key] for key in expected if key.name == "changes_output"):
            shown = {name: trial.metadata[name].value for name in ("with_adapter", "base_model")}
            assert trial.passed == (shown["with_adapter"] != shown["base_model"])
            trials.append(trial)
    assert any(trial.passed for trial in trials), "trainings change what is written"


def evaluations(project: Project, iteration: str) -> dict:
    """What a project's checks have said of an iteration, last."""
    with dg.DagsterInstance.from_config(project.environment["DAGSTER_HOME"]) as instance:
        events = [
            entry.dagster_event.asset_check_evaluation_data
            for run in reversed(instance.get_runs())
            for entry in instance.all_logs(run.run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION)
            if entry.dagster_event
        ]
    return {event.asset_check_key: event for event in events if event.partition == iteration}
