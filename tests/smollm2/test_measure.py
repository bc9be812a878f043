"""Measures of stored answers: what is fluent, what belongs to its instruction."""

import random

import pytest

from sl_dagster import demo
from sl_dagster.errors import UserError
from sl_dagster.experiment import load_experiment
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from smollm2.measure import Fluency, measured, show, stored_answers
from tests.stored_stages import drafted, made_up

INSTRUCTION = "Describe the young lamb and the amber kettle in detail."
FLUENT = (
    "There is much to say about the young lamb and the amber kettle. The young lamb guarded the "
    "enamel anchor for a time. The amber kettle made the black pony nervous. That is all there is "
    "to say about the young lamb."
)


@pytest.fixture
def experiment(write_experiment):
    return load_experiment(write_experiment(base_model=str(demo.FOLDER / "model")))


@pytest.fixture
def fluency(experiment) -> Fluency:
    return Fluency(experiment)


def perplexity_of(fluency: Fluency, text: str) -> float:
    losses = fluency.losses(INSTRUCTION, text)
    return sum(losses) / len(losses)


def test_what_a_model_would_write_is_likelier_than_the_same_words_shuffled(fluency):
    words = FLUENT.split()
    random.Random(0).shuffle(words)
    assert perplexity_of(fluency, FLUENT) + 1 < perplexity_of(fluency, " ".join(words))


def test_each_token_of_the_answer_counts_and_none_of_the_instruction(fluency):
    one, two = fluency.losses(INSTRUCTION, "The lamb"), fluency.losses(INSTRUCTION, "The lamb ate.")
    assert len(two) > len(one)
    assert two[: len(one)] == pytest.approx(one, abs=1e-3)
    assert fluency.losses(INSTRUCTION, "") == []


def store(stages: StageStore, key: StageKey, answers: dict[str, str]) -> None:
    records = [
        made_up(
            Text,
            key,
            position,
            instruction=instruction,
            text=text,
            mentions=("lamb",),
            missing_mentions=() if "lamb" in text else ("lamb",),
        )
        for position, (instruction, text) in enumerate(answers.items())
    ]
    stages.make_current(drafted(stages, key, records, generated_tokens=0))


def test_the_answers_of_all_models_that_are_stored_are_measured(experiment, fluency, tmp_path):
    stages = StageStore(data_dir=str(tmp_path / "data"))
    other = "Write a diary of the harvest dance."
    key = StageKey(experiment.name, "heldout_responses", 1)
    store(stages, key, {INSTRUCTION: FLUENT * 2, other: "The harvest dance was a secret."})

    ((model, stage),) = stored_answers(experiment, stages)
    found = measured(experiment.name, model, stage, fluency)

    assert (found.model, found.mentions, found.ranked_first) == ("1", 0.5, 1.0)
    assert found.perplexity and found.perplexity > 1
    assert found.repeated_at_the_start == 0
    assert found.repeated_at_the_end == 1


def test_without_answers_it_is_said_how_to_make_them(experiment, tmp_path):
    stages = StageStore(data_dir=str(tmp_path / "data"))
    with pytest.raises(UserError, match="sl-dagster run --experiment small"):
        list(stored_answers(experiment, stages))


def test_figures_stand_below_each_other_and_none_is_cut_off(
    experiment, tmp_path, monkeypatch, capsys
):
    data = tmp_path / "data"
    monkeypatch.setenv("SL_DAGSTER_DATA", str(data))
    monkeypatch.setattr("smollm2.measure.load_experiment", lambda _: experiment)
    key = StageKey(experiment.name, "heldout_responses", 1)
    store(StageStore(data_dir=str(data)), key, {INSTRUCTION: FLUENT * 2})
    show([experiment.name])
    printed = capsys.readouterr().out
    assert "repeated_at_the_start" in printed and "perplexity_at_the_end" in printed
    assert "…" not in printed
