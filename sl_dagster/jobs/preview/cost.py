"""What a full run would cost, worked out from what a preview of a few records measured.

Arithmetic only: the preview itself is in ``preview.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sl_dagster.experiment import Experiment

SELECTED = 0.595
"""The share of records that the length-biased selection keeps (paper, section 3.3)."""


@dataclass(frozen=True)
class StageFigures:
    """What a preview measured of one generated stage.

    Attributes:
        slots: records that were asked for.
        good: those that were good enough, before any selection among them.
        tokens: everything that was generated for them, failed tries included.
    """

    slots: int
    good: int
    tokens: int

    @property
    def tokens_per_slot(self) -> float:
        """Tokens that one record costs, failed tries included."""
        return self.tokens / self.slots

    @property
    def good_share(self) -> float:
        """Share of the records that are good enough."""
        return self.good / self.slots


def stage_figures(manifest: Mapping[str, Any]) -> StageFigures:
    """A stored stage's own facts as figures."""
    return StageFigures(
        slots=manifest["records_in"],
        good=manifest["kept"] + manifest["dropped"].get("selection", 0),
        tokens=manifest["generated_tokens"],
    )


@dataclass(frozen=True)
class Measured:
    """What a preview measured.

    Attributes:
        stages: the generated stages of one iteration by name, in the order of the loop.
        grown_share: share of the extensions that became long enough to train on.
        growth: mean words after the extension over those before it; 1 for a baseline.
        tokens_per_second: what the engine generates when it has as much to do as it can take.
        training_tokens: tokens of one training example, all roles together.
        training_tokens_per_second: what the training reads.
    """

    stages: Mapping[str, StageFigures]
    grown_share: float
    growth: float
    tokens_per_second: float
    training_tokens: float
    training_tokens_per_second: float


@dataclass(frozen=True)
class IterationCost:
    """What one iteration of the full run would cost.

    Attributes:
        generated_tokens: written by the engine, failed tries and held-out answers included.
        training_tokens: read by both trainings, over all epochs.
        generation_hours, training_hours: at the measured speeds.
    """

    iteration: int
    generated_tokens: float
    training_tokens: float
    generation_hours: float
    training_hours: float


def full_run(experiment: Experiment, measured: Measured, heldout: int) -> list[IterationCost]:
    """The cost of every iteration.

    Later iterations start from longer answers: lengths are taken to grow in each iteration as the
    extension made them grow in the preview, up to ``sampling.max_tokens`` per text.

    Args:
        experiment: the full experiment.
        measured: what a preview of its first iteration measured.
        heldout: number of held-out instructions.
    """
    return [
        _iteration_cost(experiment, measured, heldout, iteration)
        for iteration in range(1, experiment.iterations + 1)
    ]


def _iteration_cost(
    experiment: Experiment, measured: Measured, heldout: int, iteration: int
) -> IterationCost:
    longer = measured.growth ** (iteration - 1)
    limit = experiment.sampling.max_tokens
    slots, examples = _counts(experiment, measured)

    def tokens(stage: str, times: float) -> float:
        return min(limit, measured.stages[stage].tokens_per_slot * times)

    if experiment.method == "self_lengthen":
        generated = heldout * tokens("initial_responses", longer * measured.growth)
    else:  # a trained Generator answers with what it was trained on
        generated = heldout * min(limit, measured.training_tokens)
    for stage, count in slots.items():
        generated += count * tokens(stage, 1 if stage == "instructions" else longer)
    example = min(experiment.training.max_length, measured.training_tokens * longer)
    trained = examples * example * experiment.training.epochs
    return IterationCost(
        iteration,
        generated,
        trained,
        generated / measured.tokens_per_second / 3600,
        trained / measured.training_tokens_per_second / 3600,
    )


def _counts(experiment: Experiment, measured: Measured) -> tuple[dict[str, float], float]:
    """Slots of every generated stage of an iteration, and its training examples per role."""
    if experiment.method != "self_lengthen":
        return _baseline_counts(experiment, measured)
    slots: dict[str, float] = {"instructions": experiment.instructions.count}
    instructions = slots["instructions"] * measured.stages["instructions"].good_share
    slots["initial_responses"] = instructions * experiment.initial_responses.samples
    responses = (
        slots["initial_responses"] * measured.stages["initial_responses"].good_share * SELECTED
    )
    extensions = responses * experiment.extension.samples
    for name in measured.stages:
        slots.setdefault(name, extensions)
    return slots, extensions * measured.grown_share * SELECTED


def _baseline_counts(experiment: Experiment, measured: Measured) -> tuple[dict[str, float], float]:
    """The same where each stage is made from the good records of the one before it."""
    slots: dict[str, float] = {}
    good: float = experiment.instructions.count
    for name, figures in measured.stages.items():
        slots[name] = good * (experiment.plan_then_write.samples if name == "plans" else 1)
        good = slots[name] * figures.good_share
    return slots, good * (SELECTED if experiment.length_selection else 1)
