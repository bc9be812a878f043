"""Experiments side by side: what their models have learned, and how many tokens that took.

This is for the question "better than what?": Self-Lengthen beside a baseline, or one setting beside
another, each measured on the same held-out instructions and the same benchmarks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sl_dagster.errors import UserError
from sl_dagster.experiment import ALIGNED_MODEL, BASE_MODEL, Experiment
from sl_dagster.resources.adapters import stage_of
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage
from sl_dagster.results.answers import HELDOUT, stored_answers
from sl_dagster.results.growth import HeldoutScores, growth_table
from sl_dagster.results.scores import score_table

_ALIGNING = ("more_instructions", "more_responses", "length_controlled")


@dataclass(frozen=True)
class ComparedModel:
    """A model of one of the experiments.

    Attributes:
        experiment: whose model it is.
        model: its name (``base``, ``1``, ..., ``aligned``).
        heldout: measures of its answers to the held-out instructions, if it has answered them.
        growth: their mean words over those of the base model's.
        scores: overall score on each benchmark that it was measured with, by name.
        generated_tokens: all that was generated to make it, failed attempts included, but not what
            only measures models. A stage that was killed and went on counts what came after that.
        trained_tokens: all that was read in trainings to make it, over all epochs.
    """

    experiment: Experiment
    model: str
    heldout: HeldoutScores | None
    growth: float | None
    scores: dict[str, float]
    generated_tokens: int
    trained_tokens: int


def compared_models(
    experiments: Sequence[Experiment], stages: StageStore, adapters: AdapterStore
) -> list[ComparedModel]:
    """The models of all experiments that have been measured.

    Raises:
        UserError: the experiments measure their models differently, or an experiment has no
            measured model yet.
    """
    _check_comparable(experiments, stages)
    found = []
    for experiment in experiments:
        models = _measured_models(experiment, stages, adapters)
        if not models:
            raise UserError(
                f"{experiment.name} has no measured model yet: run it, with `heldout` or "
                "`benchmarks` in its experiment file"
            )
        found += models
    return found


def comparison_rows(models: Sequence[ComparedModel]) -> list[dict[str, str | int | float | None]]:
    """One row for each model, all of the same columns; what was not measured is None."""
    benchmarks = dict.fromkeys(name for one in models for name in one.scores)
    return [
        {
            "experiment": one.experiment.name,
            "method": one.experiment.method,
            "model": one.model,
            "mean_words": one.heldout and one.heldout.mean_words,
            "growth": one.growth,
            "accepted": one.heldout and one.heldout.accepted,
            "relevant": one.heldout and one.heldout.relevant,
            **{name: one.scores.get(name) for name in benchmarks},
            "generated_tokens": one.generated_tokens,
            "trained_tokens": one.trained_tokens,
        }
        for one in models
    ]


def _measured_models(
    experiment: Experiment, stages: StageStore, adapters: AdapterStore
) -> list[ComparedModel]:
    heldout = {
        str(row.iteration) if row.iteration else BASE_MODEL: row.scores
        for row in growth_table(experiment, stages)
    }
    scores: dict[str, dict[str, float]] = {}
    for score in score_table(experiment, stages):
        scores.setdefault(score.model, {})[score.benchmark] = score.overall
    base = heldout.get(BASE_MODEL)
    return [
        ComparedModel(
            experiment=experiment,
            model=model,
            heldout=heldout.get(model),
            growth=heldout[model].mean_words / base.mean_words
            if base and base.mean_words and model in heldout
            else None,
            scores=scores.get(model, {}),
            generated_tokens=_generated_tokens(experiment, model, stages),
            trained_tokens=_trained_tokens(experiment, model, adapters),
        )
        for model in experiment.models
        if model in heldout or model in scores
    ]


def _iterations_up_to(experiment: Experiment, model: str) -> list[int]:
    """The iterations whose results a model is made of."""
    last = {BASE_MODEL: 0, ALIGNED_MODEL: experiment.iterations}.get(model)
    return list(range(1, 1 + (int(model) if last is None else last)))


def _generated_tokens(experiment: Experiment, model: str, stages: StageStore) -> int:
    keys = [
        StageKey(experiment.name, name, iteration)
        for iteration in _iterations_up_to(experiment, model)
        for name in ("instructions", *experiment.writing_stages)
    ]
    if model == ALIGNED_MODEL:
        keys += [StageKey(experiment.name, name, None) for name in _ALIGNING]
    done = set(stages.complete(experiment.name))
    return sum(stages.read(key).manifest["generated_tokens"] for key in keys if key in done)


def _trained_tokens(experiment: Experiment, model: str, adapters: AdapterStore) -> int:
    keys = [
        StageKey(experiment.name, stage_of(role), iteration)
        for iteration in _iterations_up_to(experiment, model)
        for role in experiment.roles
    ]
    if model == ALIGNED_MODEL:
        keys.append(StageKey(experiment.name, stage_of("aligned"), None))
    outcomes = [adapters.read(key).outcome for key in keys if adapters.has(key)]
    return sum(outcome.tokens for outcome in outcomes if outcome)


def _check_comparable(experiments: Sequence[Experiment], stages: StageStore) -> None:
    """Numbers that were measured differently say nothing about each other."""
    known: dict[str, StoredStage] = {}
    for experiment in experiments:
        for answers_to, answers in stored_answers(experiment, stages):
            held_out = answers_to == HELDOUT
            asked = "held-out instructions" if held_out else f"queries of {answers_to}"
            first = known.setdefault(asked, answers)
            if answers.column("instruction") != first.column("instruction"):
                raise UserError(
                    f"{first.key} and {answers.key} cannot be compared: they answer different "
                    f"{asked}; measure both again with the same"
                )
