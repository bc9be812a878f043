"""What the judge thinks of models: scores with confidence intervals, and their comparison."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.identity import fingerprint
from sl_dagster.method.quality import DIMENSIONS
from sl_dagster.resources.records import Judgement
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage

OVERALL = "overall"
CONFIDENCE = 0.95
_RESAMPLES = 9999


@dataclass(frozen=True)
class Estimate:
    """A mean over answers with its bootstrap confidence interval (the mean itself for one answer).

    Attributes:
        mean: of the answers' scores, each of which is the mean of its judgements.
        low, high: ends of the interval, at 95 %.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class QualityRow:
    """How one model's answers are judged.

    Attributes:
        experiment, model: whose answers.
        judge: who judged them (see ``Judge.identity``).
        instructions: digest of what was to be written.
        answers: how many have at least one judgement.
        judgements: how many there are of them in all.
        scores: by dimension, and ``overall``, the mean of the seven.
    """

    experiment: str
    model: str
    judge: dict[str, str]
    instructions: str
    answers: int
    judgements: int
    scores: dict[str, Estimate]


def estimates(judgements: Iterable[tuple[str, dict[str, int]]]) -> dict[str, Estimate]:
    """Means over answers, by dimension and overall, with confidence intervals.

    The judgements of one answer are averaged first: what the bootstrap draws again and again are
    answers, because several judgements of one text say little about other texts.

    Args:
        judgements: (answer, scores by dimension); at least one.
    """
    by_answer: dict[str, list[list[int]]] = defaultdict(list)
    for answer, scores in judgements:
        by_answer[answer].append([scores[name] for name in DIMENSIONS])
    means = np.array([np.mean(scores, axis=0) for scores in by_answer.values()])
    columns = np.column_stack([means, means.mean(axis=1)])
    lows, highs = _interval(columns)
    found = zip(columns.mean(axis=0), lows, highs, strict=True)
    return {
        name: Estimate(float(mean), float(low), float(high))
        for name, (mean, low, high) in zip((*DIMENSIONS, OVERALL), found, strict=True)
    }


def _interval(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the confidence intervals of the columns' means; shape (answers, scores)."""
    # Imported late: it takes a second.
    from scipy.stats import bootstrap

    if len(columns) == 1:
        return columns[0], columns[0]
    interval = bootstrap(
        (columns,),
        np.mean,
        axis=0,
        confidence_level=CONFIDENCE,
        n_resamples=_RESAMPLES,
        batch=500,  # bounds the memory
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return interval.low, interval.high


def quality_row(stage: StoredStage) -> QualityRow:
    """Measure a stored set of judgements.

    Raises:
        UserError: none of the judge's answers could be used.
    """
    records = [record for record in stage.records(Judgement) if record.scores]
    if not records:
        raise UserError(
            f"{stage.key}: the judge has answered with no scores at all: read its answers in "
            f"{stage.rejected_path}, and try another model or engine under `judge:`"
        )
    judgements = [(record.parents[0], record.scores or {}) for record in records]
    return QualityRow(
        experiment=stage.key.experiment,
        model=str(stage.key.model),
        judge=records[0].judge,
        instructions=fingerprint(sorted({str(record.instruction) for record in records})),
        answers=len({answer for answer, _ in judgements}),
        judgements=len(judgements),
        scores=estimates(judgements),
    )


def quality_rows(experiment: Experiment, stages: StageStore) -> list[QualityRow]:
    """The models of an experiment that have been judged, in the order of ``experiment.models``."""
    keys = [key for key in stages.complete(experiment.name) if key.stage == "quality_scores"]
    order = {model: place for place, model in enumerate(experiment.models)}
    keys.sort(key=lambda key: order.get(str(key.model), len(order)))
    return [quality_row(stages.read(key)) for key in keys]


def check_comparable(rows: Sequence[QualityRow]) -> None:
    """Refuse to set scores side by side that do not measure the same.

    Raises:
        UserError: they come from different judges or belong to different instructions.
    """
    for row in rows[1:]:
        first, what = rows[0], f"{row.experiment}, model {row.model}"
        against = f"{first.experiment}, model {first.model}"
        if row.judge["fingerprint"] != first.judge["fingerprint"]:
            raise UserError(
                f"scores of different judges cannot be compared: {what} was judged by "
                f"{_name(row.judge)}, {against} by {_name(first.judge)}: materialize "
                "quality_scores of both again, with the same `judge:` section"
            )
        if row.instructions != first.instructions:
            raise UserError(
                f"scores cannot be compared: {what} and {against} were judged by their answers to "
                "different instructions"
            )


def as_table(rows: Sequence[QualityRow]) -> list[dict[str, Any]]:
    """The rows as plain values: one column per score, and the ends of its interval."""
    return [
        {
            "experiment": row.experiment,
            "model": row.model,
            "answers": row.answers,
            "judgements": row.judgements,
            **{
                column: round(value, 2)
                for name, score in row.scores.items()
                for column, value in (
                    (name, score.mean),
                    (f"{name}_low", score.low),
                    (f"{name}_high", score.high),
                )
            },
        }
        for row in rows
    ]


def _name(judge: dict[str, str]) -> str:
    return (
        f"{judge['model']} ({judge['revision']}; prompt version {judge['prompt_version']}; "
        f"{judge['fingerprint']})"
    )
