"""What an experiment has achieved: the answers to held-out instructions, by iteration."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage
from sl_dagster.results.answers import heldout_key


@dataclass(frozen=True)
class HeldoutScores:
    """Measures of a set of answers.

    Attributes:
        answers: how many there are.
        mean_words: of all of them, good or not.
        p10_words, median_words, p90_words: likewise.
        accepted: share that the response filter accepts.
        relevant: share that mention everything the instruction asked for.
    """

    answers: int
    mean_words: float
    p10_words: float
    median_words: float
    p90_words: float
    accepted: float
    relevant: float

    def shares(self) -> dict[str, float]:
        """The two shares, by name."""
        return {"accepted": self.accepted, "relevant": self.relevant}


@dataclass(frozen=True)
class GrowthRow:
    """One line of the growth table.

    Attributes:
        iteration: 0 is the base model.
        scores: of the Generator after that iteration.
        ratio: mean words over those of the iteration before; None where there is none.
        control: of the control experiment's Generator, if there is one and it has come so far.
    """

    iteration: int
    scores: HeldoutScores
    ratio: float | None
    control: HeldoutScores | None


def heldout_scores(stage: StoredStage) -> HeldoutScores:
    """Measure a stored set of held-out answers."""
    words = stage.column("words")
    missing = stage.column("missing_mentions")
    reasons = stage.column("drop_reason")
    count = len(words)
    if not count:
        raise UserError(f"{stage.key} has no answers to measure")
    p10, median, p90 = (float(p) for p in np.percentile(words, [10, 50, 90]))
    return HeldoutScores(
        answers=count,
        mean_words=sum(words) / count,
        p10_words=p10,
        median_words=median,
        p90_words=p90,
        accepted=sum(reason is None for reason in reasons) / count,
        relevant=sum(not names for names in missing) / count,
    )


def growth_table(experiment: Experiment, stages: StageStore) -> list[GrowthRow]:
    """The growth of an experiment as far as it has come, the control's beside it."""
    mine = dict(_scores(experiment.name, experiment.iterations, stages))
    control = {}
    if experiment.control:
        control = dict(_scores(experiment.control, experiment.iterations, stages))
    rows: list[GrowthRow] = []
    for iteration, scores in mine.items():
        before = mine.get(iteration - 1)
        ratio = scores.mean_words / before.mean_words if before and before.mean_words else None
        rows.append(GrowthRow(iteration, scores, ratio, control.get(iteration)))
    return rows


def _scores(
    experiment: str, iterations: int, stages: StageStore
) -> Iterator[tuple[int, HeldoutScores]]:
    for iteration in range(iterations + 1):
        try:
            stage = stages.read(heldout_key(experiment, iteration))
        except UserError:
            continue
        yield iteration, heldout_scores(stage)
