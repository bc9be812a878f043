"""``longen_scores``, ``longbench_scores``: benchmarks of length; ``model_scores`` compares models.

One class serves every benchmark of ``sl_dagster.benchmarks``: a model answers its queries, and
each answer is stored with its score (``benchmarks`` in the experiment file).
"""

from functools import cached_property
from typing import Any

import dagster as dg
import numpy as np

from sl_dagster.assets.measures.measured_answers import MeasuredAnswers
from sl_dagster.assets.measures.models import model_named
from sl_dagster.assets.stage.asset import Asset
from sl_dagster.assets.stage.description import as_table, headline
from sl_dagster.assets.stage.given import given_text
from sl_dagster.assets.stage.pictures import asked_picture, bars_picture, picture
from sl_dagster.assets.stage.run import StageRun
from sl_dagster.benchmarks import BENCHMARKS
from sl_dagster.experiment import Benchmark, Experiment, Sampling
from sl_dagster.inputs.queries import Queries, read_queries
from sl_dagster.method.words import count_words
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.records import Score, Text
from sl_dagster.resources.storage.stored_stage import StoredStage
from sl_dagster.results.plots import QUIET
from sl_dagster.results.scores import Scores, score_rows, score_table, scores_of


class BenchmarkScores(MeasuredAnswers):
    """A model's answers to the queries of a benchmark, each with its score."""

    per = "model"
    job = "evaluate"
    deps = ("generator_lora",)
    model_deps = ("aligned_model",)
    record = Score

    def __init__(self, experiment: Experiment, benchmark: str) -> None:
        super().__init__(experiment)
        self._benchmark = benchmark
        rules = BENCHMARKS[benchmark]
        self.name = rules.asset
        self.description = (
            f"A model's answers to the queries of {rules.title}, and how well their lengths follow "
            f"them (0 to {rules.best_score:g}{_at_scale(self.section)})."
        )
        settings = ("queries", "limit", "scale", "sampling")
        self.reads = (
            *(f"benchmarks.{benchmark}.{name}" for name in settings),
            "languages",
            "initial_responses.sampling",
            "filter.preset",
        )

    @property
    def section(self) -> Benchmark:
        """The benchmark's section in the experiment file."""
        return self.experiment.benchmarks[self._benchmark]

    @cached_property
    def writer(self) -> Adapter:
        return model_named(self.experiment, str(self.run.key.model), self.run.adapters)

    @cached_property
    def queries(self) -> Queries:
        """What the benchmark asks, and what cannot be asked."""
        return read_queries(self._benchmark, self.section, self.experiment.languages)

    @property
    def questions(self) -> list[Text]:
        return [
            given_text(
                self.experiment,
                self._benchmark,
                self._benchmark,
                position,
                query.written_in,
                query.instruction,
            )
            for position, query in enumerate(self.queries.chosen)
        ]

    @property
    def sampling(self) -> Sampling:
        return self.experiment.sampling_of("initial_responses").overlaid(self.section.sampling)

    def measured_by(self) -> list[Any]:
        return [query.model_dump() for query in self.queries.chosen]

    def measured(self, answer: dict[str, Any], question: Text) -> Score:
        """The answer with its score, and what the query asks for."""
        query = self.queries.chosen[question.position]
        type, range = query.groups
        return Score(
            **answer,
            type=type,
            range=range,
            constraint=query.length_wanted,
            asked=query.asked,
            model=str(self.run.key.model),
            score=query.score(count_words(answer["text"], question.language)),
        )

    def stored(self) -> StoredStage:
        if self.queries.note:
            self.run.warn(f"{BENCHMARKS[self._benchmark].title}: {self.queries.note}")
        return super().stored()

    def headline(self, stage: StoredStage) -> tuple[str, ...]:
        scores, rules = scores_of(self._benchmark, stage), BENCHMARKS[self._benchmark]
        written, scale = np.mean(stage.column("words")), self.section.scale
        return (
            f"{rules.title}: {scores.overall:.3g} of {rules.best_score:g}",
            f"{scores.mean_asked:,.0f} words asked for, {written:,.0f} written",
            *((f"all lengths x {scale:g}",) if scale != 1 else ()),
        )

    def picture(self, stage: StoredStage) -> dict[str, dg.MetadataValue]:
        return {"asked_and_written": asked_picture(stage.column("asked"), stage.column("words"))}

    def facts(self, stage: StoredStage) -> dict[str, Any]:
        scores = scores_of(self._benchmark, stage)
        return {
            "overall": scores.overall,
            **{
                f"{kind}_{group}": mean
                for kind, means in scores.groups.items()
                for group, mean in means.items()
            },
            "mean_asked": scores.mean_asked,
            "accepted": scores.accepted,
            "truncated": scores.truncated,
            "scale": self.section.scale,
            "queries_left_out": len(self.queries.left_out),
            "asked_in_detail": _scatter(stage, self.section),
        }


class ModelScores(Asset):
    """The scores of all models side by side."""

    name = "model_scores"
    description = "The benchmark scores of all models that have been measured, side by side."
    kinds = ("python",)
    per = "experiment"
    job = "evaluate"
    reads = None

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        self.deps = tuple(BENCHMARKS[name].asset for name in experiment.benchmarks)

    def make(self, run: StageRun) -> dg.MaterializeResult:
        table = score_table(run.experiment, run.stages)
        metadata: dict[str, Any] = {"headline": headline(run.key, *_best(table))}
        if table:
            metadata["comparison"] = _bars(table)
            metadata["scores"] = as_table(map(_rounded, score_rows(table)))
        metadata["measured"] = len(table)
        for name, benchmark in run.experiment.benchmarks.items():
            metadata[f"{name}_scale"] = benchmark.scale
        return dg.MaterializeResult(metadata=metadata)


def _at_scale(benchmark: Benchmark) -> str:
    return "" if benchmark.scale == 1 else f"; all lengths x {benchmark.scale:g}"


def _scatter(stage: StoredStage, benchmark: Benchmark) -> dg.MarkdownMetadataValue:
    """Asked against written words: a model that follows lengths stands on the diagonal."""
    points = list(
        zip(stage.column("type"), stage.column("asked"), stage.column("words"), strict=True)
    )
    types = list(dict.fromkeys(type for type, _, _ in points))

    def draw(axes: Any) -> None:
        for type, marker in zip(types, "os^vDPX*<>" * len(types), strict=False):
            chosen = [(asked, words) for one, asked, words in points if one == type]
            axes.scatter(*zip(*chosen, strict=True), marker=marker, alpha=0.6, s=22, label=type)
        longest = max(asked for _, asked, _ in points)
        axes.plot([0, longest], [0, longest], color=QUIET, linewidth=1, zorder=0)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(f"words asked for{_at_scale(benchmark)}")
        axes.set_ylabel("words written")
        axes.legend(fontsize=7)

    return picture("asked and written words", draw)


def _rounded(row: dict[str, str | int | float]) -> dict[str, str | int | float]:
    return {
        name: round(value, 3) if isinstance(value, float) else value for name, value in row.items()
    }


def _best(table: list[Scores]) -> list[str]:
    """How many scores there are, and the best model of each benchmark."""
    best: dict[str, Scores] = {}
    for scores in table:
        if scores.benchmark not in best or scores.overall > best[scores.benchmark].overall:
            best[scores.benchmark] = scores
    return [
        f"{len(table)} scores; the best:" if table else "No model has been measured yet",
        *(
            f"{BENCHMARKS[name].title}: {scores.model}, {scores.overall:.3g} of "
            f"{BENCHMARKS[name].best_score:g}"
            for name, scores in best.items()
        ),
    ]


def _bars(table: list[Scores]) -> dg.MarkdownMetadataValue:
    """Each model's overall score, as a share of the best possible one."""
    rows = [
        (
            f"{scores.benchmark} {scores.model}",
            scores.overall / BENCHMARKS[scores.benchmark].best_score,
            f"{scores.overall:.3g}",
        )
        for scores in table
    ]
    return bars_picture("scores of the models", rows, best=1)
