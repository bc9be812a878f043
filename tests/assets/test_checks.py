"""The asset checks: each holds for what is right, fails for what is wrong, and can run alone."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from safetensors.numpy import load_file, save_file

from sl_dagster.assets import assets_of
from sl_dagster.assets.checks import experiment_checks, loss_verdict
from sl_dagster.assets.stage.asset import UP_TO_DATE
from sl_dagster.assets.stage.run import base_model
from sl_dagster.experiment import STAGES_AFTER_THE_LOOP, Experiment, load_experiment
from sl_dagster.jobs.launch import failure_of
from sl_dagster.resources.adapters import WEIGHTS_FILE, Adapter, Role, adapter_fingerprint
from sl_dagster.resources.named import resources_in
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage import lengths_file
from sl_dagster.resources.storage.adapter_store import AdapterStore, StoredAdapter
from sl_dagster.resources.storage.lengths import LengthsDatabase
from sl_dagster.resources.storage.stage_store import StageKey
from sl_dagster.training.job import LossPoint, TrainingOutcome
from tests.assets.conftest import Project
from tests.elsewhere import database_open_elsewhere
from tests.stored_stages import add_to, made_up, store

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
OUTSIDE_THE_LOOP = ("seeds", "heldout_base", *STAGES_AFTER_THE_LOOP)


def executed(
    experiment: Experiment, data: Path, name: str, asset: str, iteration: int = 1
) -> dg.ExecuteInProcessResult:
    """Run one check of one asset alone, as the web UI does on request."""
    check = dg.AssetCheckKey(dg.AssetKey([experiment.name, asset]), name)
    definitions = dg.Definitions(
        assets=[dg.AssetSpec(check.asset_key)],
        asset_checks=[one for one in experiment_checks(experiment) if check in one.check_keys],
        jobs=[dg.define_asset_job("alone", dg.AssetSelection.checks(check))],
        resources=resources_in(data),
        executor=dg.in_process_executor,
    )
    return definitions.resolve_job_def("alone").execute_in_process(
        tags={"dagster/partition": str(iteration)}, raise_on_error=False
    )


def evaluated(
    experiment: Experiment, data: Path, name: str, asset: str, iteration: int = 1
) -> dg.AssetCheckEvaluation:
    """What one check of one asset says."""
    [evaluation] = executed(experiment, data, name, asset, iteration).get_asset_check_evaluations()
    return evaluation


@pytest.fixture
def experiment(write_experiment: Callable[..., Path]) -> Experiment:
    return load_experiment(write_experiment())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def store_stage(data: Path, stage: str, words: list[int], iteration: int = 1, **more) -> None:
    """Store a stage of records of so many words, in the files and in the database."""
    key, dropped = StageKey("small", stage, iteration), more.pop("dropped", {})
    records = [
        made_up(Text, key, position, text="word " * count, **{"finish_reason": "stop", **more})
        for position, count in enumerate(words)
    ]
    count = len(words) + sum(dropped.values())
    stored = store(data, key, records, records_in=count, dropped=dropped)
    add_to(LengthsDatabase(data_dir=str(data)), stored)


def store_adapter(data: Path, stage: str, iteration: int, fingerprint: str, role: Role) -> None:
    adapter = Adapter(role, fingerprint, None, iteration)
    AdapterStore(data_dir=str(data)).make_current(
        StageKey("small", stage, iteration), StoredAdapter(adapter, training_fingerprint="m")
    )


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


@pytest.mark.integration
def test_a_run_evaluates_every_check(finished: Project) -> None:
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
        lora = history[dg.AssetCheckKey(dg.AssetKey(["small", "generator_lora"]), "changes_output")]
        assert lora.passed
        assert lora.metadata["with_adapter"].value != lora.metadata["base_model"].value


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


@pytest.mark.integration
def test_an_adapter_without_effect_is_noticed(project: Project) -> None:
    """Weights that are all zero load, and change nothing."""
    store, key = AdapterStore(data_dir=str(project.data)), StageKey("small", "generator_lora", 1)
    stored = store.read(key)
    folder = Path(str(stored.adapter.path))
    weights = load_file(folder / WEIGHTS_FILE)
    save_file({name: 0 * values for name, values in weights.items()}, folder / WEIGHTS_FILE)
    (folder / "trial.json").unlink()
    new = folder.parent / adapter_fingerprint(folder)
    folder.rename(new)
    changed = replace(stored.adapter, fingerprint=new.name, path=str(new))
    store.make_current(key, replace(stored, adapter=changed))
    arguments = (project.experiment, project.data, "changes_output", "generator_lora")
    evaluation = evaluated(*arguments)
    assert (evaluation.passed, evaluation.severity) == (False, WARN)
    assert evaluation.description == "0 of 4 greedy answers differ from the base model's"
    assert json.loads((new / "trial.json").read_text())["changed"] == 0, "remembered"
    (new / WEIGHTS_FILE).write_bytes(b"")
    result = executed(*arguments)
    assert not result.success
    assert "it is damaged or was replaced" in failure_of(result)
