"""The arithmetic of a preview's estimate."""

from dataclasses import replace

import pytest

from sl_dagster.experiment import Experiment, load_experiment
from sl_dagster.jobs.preview.cost import SELECTED, Measured, StageFigures, full_run, stage_figures

MEASURED = Measured(
    stages={
        "instructions": StageFigures(slots=10, good=10, tokens=300),
        "initial_responses": StageFigures(slots=10, good=5, tokens=2000),
        "round1_stage1": StageFigures(slots=4, good=4, tokens=400),
        "round1_stage2": StageFigures(slots=4, good=2, tokens=1600),
    },
    grown_share=0.5,
    growth=2.0,
    tokens_per_second=1000.0,
    training_tokens=700.0,
    training_tokens_per_second=500.0,
)


@pytest.fixture
def experiment(write_experiment) -> Experiment:
    return load_experiment(write_experiment())


def with_changes(experiment: Experiment, **changes) -> Experiment:
    counts = {
        "instructions": experiment.instructions.model_copy(update={"count": 1000}),
        "initial_responses": experiment.initial_responses.model_copy(update={"samples": 2}),
        "extension": experiment.extension.model_copy(update={"samples": 3, "rounds": 1}),
        "training": experiment.training.model_copy(update={"epochs": 4, "max_length": 16384}),
        "sampling": experiment.sampling.model_copy(update={"max_tokens": 100_000}),
        "iterations": 2,
    }
    return experiment.model_copy(update=counts | changes)


def test_the_first_iteration_is_the_preview_times_the_counts(experiment: Experiment) -> None:
    first, _ = full_run(with_changes(experiment), MEASURED, heldout=50)
    responses = 2000 * 0.5 * SELECTED * 3
    generated = 1000 * 30 + 2000 * 200 + responses * (100 + 400) + 50 * 200 * 2
    trained = responses * 0.5 * SELECTED * 700 * 4
    assert first.generated_tokens == pytest.approx(generated)
    assert first.training_tokens == pytest.approx(trained)
    assert first.generation_hours == pytest.approx(generated / 1000 / 3600)
    assert first.training_hours == pytest.approx(trained / 500 / 3600)


def test_later_iterations_are_longer_except_for_their_instructions(experiment: Experiment) -> None:
    first, second = full_run(with_changes(experiment), MEASURED, heldout=50)
    assert second.generated_tokens - 30_000 == pytest.approx(2 * (first.generated_tokens - 30_000))
    assert second.training_tokens == pytest.approx(2 * first.training_tokens)


def test_no_text_is_longer_than_allowed(experiment: Experiment) -> None:
    sampling = experiment.sampling.model_copy(update={"max_tokens": 250})
    endless = replace(MEASURED, growth=1000.0)
    _, second = full_run(with_changes(experiment, sampling=sampling), endless, heldout=0)
    responses = 2000 * 0.5 * SELECTED * 3
    assert second.generated_tokens == pytest.approx(1000 * 30 + 250 * (2000 + 2 * responses))


def test_records_dropped_by_the_selection_were_good() -> None:
    manifest = {
        "records_in": 10,
        "kept": 4,
        "dropped": {"selection": 3, "repetition": 3},
        "generated_tokens": 5000,
    }
    assert stage_figures(manifest) == StageFigures(slots=10, good=7, tokens=5000)


def test_a_baseline_makes_each_stage_from_what_is_good_of_the_one_before(
    write_experiment,
) -> None:
    experiment = load_experiment(
        write_experiment(
            method="plan_then_write",
            iterations=2,
            instructions={"count": 1000},
            plan_then_write={"samples": 2},
            length_selection=False,
        )
    )
    stages = {
        "instructions": StageFigures(slots=10, good=5, tokens=300),
        "plans": StageFigures(slots=5, good=4, tokens=250),
        "planned_responses": StageFigures(slots=4, good=1, tokens=4000),
    }
    measured = replace(MEASURED, stages=stages, growth=1.0, training_tokens=700.0)
    first, second = full_run(experiment, measured, heldout=10)
    assert first.generated_tokens == 1000 * 30 + 1000 * 50 + 800 * 1000 + 10 * 700
    assert first.training_tokens == 800 * 0.25 * 700 * 4
    assert second.generated_tokens == first.generated_tokens
