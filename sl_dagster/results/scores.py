"""What the models of an experiment score on its benchmarks: means over all, and over groups."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage
from sl_dagster.results.answers import stored_scores

GROUPS = ("type", "range", "language")


@dataclass(frozen=True)
class Scores:
    """A model's scores on a benchmark.

    Attributes:
        benchmark: its name in the experiment file.
        model: its name (``base``, ``1``, ..., ``aligned``).
        answers: how many there are.
        overall: mean over all answers.
        groups: for each kind of group (``type``, ``range``, ``language``), the mean of each of its
            groups, in the order of the benchmark's file.
        mean_words: of the answers.
        mean_asked: of what the queries ask for.
        accepted: share of the answers that the response filter accepts.
        truncated: share of the answers that the token limit cut off.
    """

    benchmark: str
    model: str
    answers: int
    overall: float
    groups: dict[str, dict[str, float]]
    mean_words: float
    mean_asked: float
    accepted: float
    truncated: float


def scores_of(benchmark: str, stage: StoredStage) -> Scores:
    """Average a benchmark's stored answers."""
    scores: list[float] = stage.column("score")
    count = len(scores)
    if not count:
        raise UserError(f"{stage.key} has no answers to measure")
    return Scores(
        benchmark=benchmark,
        model=str(stage.key.model),
        answers=count,
        overall=sum(scores) / count,
        groups={group: mean_by(stage.column(group), scores) for group in GROUPS},
        mean_words=sum(stage.column("words")) / count,
        mean_asked=sum(stage.column("asked")) / count,
        accepted=stage.column("drop_reason").count(None) / count,
        truncated=stage.column("finish_reason").count("length") / count,
    )


def mean_by(groups: Sequence[str], scores: Sequence[float]) -> dict[str, float]:
    """The mean score of each group, in the order in which the groups first occur."""
    found: dict[str, list[float]] = {}
    for group, score in zip(groups, scores, strict=True):
        found.setdefault(group, []).append(score)
    return {group: sum(values) / len(values) for group, values in found.items()}


def score_table(experiment: Experiment, stages: StageStore) -> list[Scores]:
    """The scores of all models that have been measured, benchmark by benchmark."""
    return [scores_of(*found) for found in stored_scores(experiment, stages)]


def score_rows(table: Sequence[Scores]) -> list[dict[str, str | int | float]]:
    """The scores as rows of a table, one for each benchmark and model.

    Returns:
        Rows of the same columns, those of ``Scores`` with one for each group; a benchmark that does
        not have a group has an empty string there.
    """
    taken = {field.name for field in fields(Scores)}
    columns: dict[str, tuple[str, str]] = {}
    for kind in GROUPS:
        for group in dict.fromkeys(name for scores in table for name in scores.groups[kind]):
            name = f"{kind}: {group}" if group in taken or group in columns else group
            columns[name] = (kind, group)
    return [
        {
            "benchmark": scores.benchmark,
            "model": scores.model,
            "answers": scores.answers,
            "overall": scores.overall,
            **{name: scores.groups[kind].get(group, "") for name, (kind, group) in columns.items()},
            "mean_words": scores.mean_words,
            "mean_asked": scores.mean_asked,
            "accepted": scores.accepted,
            "truncated": scores.truncated,
        }
        for scores in table
    ]
