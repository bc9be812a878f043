"""What an experiment has achieved, and its tables, which cards and the report show alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sl_dagster.benchmarks import BENCHMARKS
from sl_dagster.experiment import Experiment
from sl_dagster.experiment.public import shown
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.results.growth import GrowthRow, growth_table
from sl_dagster.results.quality import QualityRow, quality_rows
from sl_dagster.results.scores import Scores, score_rows, score_table
from sl_dagster.results.table import Table

_SHARES = ("accepted", "truncated")


@dataclass(frozen=True)
class Achievements:
    """What an experiment has achieved, as far as that has been measured.

    Attributes:
        growth: lengths of the held-out answers, by iteration.
        scores: of the models on the benchmarks.
        quality: what the judge thinks of the models' answers.
    """

    growth: Sequence[GrowthRow]
    scores: Sequence[Scores]
    quality: Sequence[QualityRow]


def achievements(experiment: Experiment, stages: StageStore) -> Achievements:
    """Read what is stored of an experiment's achievements.

    Raises:
        UserError: a stage is damaged.
    """
    return Achievements(
        growth_table(experiment, stages),
        score_table(experiment, stages),
        quality_rows(experiment, stages),
    )


def growth_as_table(growth: Sequence[GrowthRow]) -> Table:
    """Mean and median words, growth, and shares, by iteration; the control in the last column."""
    head = ["iteration", "mean words", "x before", "median", "accepted", "relevant"]
    with_control = any(row.control for row in growth)
    rows = []
    for row in growth:
        scores, control = row.scores, row.control
        cells = [
            str(row.iteration or "0 (base)"),
            f"{scores.mean_words:.1f}",
            f"{row.ratio:.2f}" if row.ratio else "",
            f"{scores.median_words:.0f}",
            f"{scores.accepted:.0%}",
            f"{scores.relevant:.0%}",
        ]
        if with_control:
            cells.append(f"{control.mean_words:.1f}" if control else "")
        rows.append(cells)
    return Table([*head, "control: mean words"] if with_control else head, rows)


def scores_as_tables(experiment: Experiment, scores: Sequence[Scores]) -> list[Table]:
    """One table per benchmark: a column for each model, a row for each of its scores."""
    return list(_score_tables(experiment, scores))


def _score_tables(experiment: Experiment, scores: Sequence[Scores]) -> Iterator[Table]:
    for name, benchmark in experiment.benchmarks.items():
        models = score_rows([one for one in scores if one.benchmark == name])
        if not models:
            continue
        rules = BENCHMARKS[name]
        scale = "" if benchmark.scale == 1 else f"; all lengths x {benchmark.scale:g}"
        rows = [
            [measure.replace("_", " "), *(_measured(measure, model[measure]) for model in models)]
            for measure in list(models[0])[2:]  # after the benchmark's and the model's names
        ]
        yield Table(
            ["model", *(str(model["model"]) for model in models)],
            rows,
            f"{rules.title} (0 to {rules.best_score:g}{scale})",
        )


def _measured(name: str, value: Any) -> str:
    if name in _SHARES:
        return f"{value:.0%}"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def quality_as_tables(quality: Sequence[QualityRow]) -> list[Table]:
    """Means and confidence intervals by model; what cannot be compared stands in another table."""
    comparable: dict[tuple[str, str], list[QualityRow]] = {}
    for row in quality:
        comparable.setdefault((row.judge["fingerprint"], row.instructions), []).append(row)
    return [_quality_table(rows) for rows in comparable.values()]


def _quality_table(quality: Sequence[QualityRow]) -> Table:
    judge, dimensions = quality[0].judge, quality[0].scores
    rows = [["answers", *(str(row.answers) for row in quality)]]
    for name in dimensions:
        estimates = [row.scores[name] for row in quality]
        rows.append([name, *(f"{e.mean:.2f} ({e.low:.2f} to {e.high:.2f})" for e in estimates)])
    return Table(
        ["model", *(row.model for row in quality)],
        rows,
        f"Scores from 1 to 10 by the judge {shown(judge['model'], 'model')} (revision "
        f"{judge['revision']}, prompt version {judge['prompt_version']}), with bootstrap "
        "confidence intervals (95 %)",
    )
