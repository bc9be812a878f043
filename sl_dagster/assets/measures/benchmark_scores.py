"""``longen_scores``, ``longbench_scores``: benchmarks of length; ``model_scores`` compares models.

One factory serves every benchmark of ``sl_dagster.benchmarks``: a model answers its queries, and
each answer is stored with its score.
"""

from dataclasses import replace
from typing import Any

import dagster as dg

from sl_dagster.assets.measures.measured_answers import Measurement, measured_answers
from sl_dagster.assets.measures.models import model_named
from sl_dagster.assets.stage.asset import stage_asset
from sl_dagster.assets.stage.config import StageConfig
from sl_dagster.assets.stage.description import stage_result
from sl_dagster.assets.stage.pictures import picture
from sl_dagster.benchmarks import BENCHMARKS
from sl_dagster.benchmarks.query import Query
from sl_dagster.experiment import Benchmark, Experiment
from sl_dagster.identity import fingerprint
from sl_dagster.inputs.queries import Queries, read_queries
from sl_dagster.resources.records import SCORE_SCHEMA, Record
from sl_dagster.resources.stage_runner import StageRunner
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_store import StageStore, StoredStage
from sl_dagster.results.plots import MAIN, QUIET
from sl_dagster.results.scores import Scores, score_rows, score_table, scores_of


def benchmark_assets(experiment: Experiment) -> list[dg.AssetsDefinition]:
    """One asset per benchmark of the experiment, and the comparison; none if it names none."""
    if not experiment.benchmarks:
        return []
    scores = [_scores(experiment, *named) for named in experiment.benchmarks.items()]
    return [*scores, _model_scores(experiment)]


def _scores(experiment: Experiment, name: str, benchmark: Benchmark) -> dg.AssetsDefinition:
    rules = BENCHMARKS[name]

    @stage_asset(
        experiment,
        rules.asset,
        description=(
            f"A model's answers to the queries of {rules.title}, and how well their lengths follow "
            f"them (0 to {rules.best_score:g}{_at_scale(benchmark)})."
        ),
        kinds={"huggingface", "parquet"},
        on_gpu=True,
        deps=("generator_lora",),
        per_model=True,
        job="evaluate",
    )
    def benchmark_scores(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        adapters: AdapterStore,
    ) -> dg.MaterializeResult:
        model = context.partition_key
        weights = model_named(experiment, model, adapters)
        found = read_queries(name, benchmark, experiment.languages)
        queries = found.asked
        if found.note:
            context.log.warning("%s: %s", rules.title, found.note)

        def scored(answer: Record, source: Record) -> Record:
            query = queries[source.position]
            score = query.score(answer.words)
            return replace(_asked(answer, query), model=model, score=score)

        measurement = Measurement(
            sources=[_source(experiment, name, *numbered) for numbered in enumerate(queries)],
            sampling=experiment.sampling_of("initial_responses").overlaid(benchmark.sampling),
            measured=scored,
            settings=[query.model_dump() for query in queries],
            schema=SCORE_SCHEMA,
        )
        stage = measured_answers(context, config, runner, experiment, weights, measurement)
        return stage_result(
            stage, [weights], more=_metadata(scores_of(name, stage), stage, benchmark, found)
        )

    return benchmark_scores


def _at_scale(benchmark: Benchmark) -> str:
    return "" if benchmark.scale == 1 else f"; all lengths x {benchmark.scale:g}"


def _source(experiment: Experiment, name: str, position: int, query: Query) -> Record:
    return Record(
        record_id=fingerprint(name, experiment.name, position, query.instruction),
        experiment=experiment.name,
        iteration=0,
        stage=name,
        position=position,
        language=query.written_in,
        text=query.instruction,
    )


def _asked(answer: Record, query: Query) -> Record:
    """The answer with what the query asks for."""
    type, range = query.groups
    return replace(
        answer, type=type, range=range, constraint=query.length_wanted, asked=query.asked
    )


def _metadata(
    scores: Scores, stage: StoredStage, benchmark: Benchmark, queries: Queries
) -> dict[str, Any]:
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
        "scale": benchmark.scale,
        "queries_left_out": len(queries.left_out),
        "asked_and_written": _scatter(stage, benchmark),
    }


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


def _model_scores(experiment: Experiment) -> dg.AssetsDefinition:
    @stage_asset(
        experiment,
        "model_scores",
        description="The benchmark scores of all models that have been measured, side by side.",
        kinds={"python"},
        deps=tuple(BENCHMARKS[name].asset for name in experiment.benchmarks),
        partitioned=False,
        job="evaluate",
    )
    def model_scores(stages: StageStore) -> dg.MaterializeResult:
        table = score_table(experiment, stages)
        metadata: dict[str, Any] = {"measured": len(table)}
        for name, benchmark in experiment.benchmarks.items():
            metadata[f"{name}_scale"] = benchmark.scale
        if table:
            rows = [dg.TableRecord(_rounded(row)) for row in score_rows(table)]
            metadata["scores"] = dg.MetadataValue.table(rows)
            metadata["comparison"] = _bars(table)
        return dg.MaterializeResult(metadata=metadata)

    return model_scores


def _rounded(row: dict[str, str | int | float]) -> dict[str, str | int | float]:
    return {
        name: round(value, 3) if isinstance(value, float) else value for name, value in row.items()
    }


def _bars(table: list[Scores]) -> dg.MarkdownMetadataValue:
    """Each model's overall score, as a share of the best possible one."""
    names = [f"{scores.benchmark}\n{scores.model}" for scores in table]
    heights = [scores.overall / BENCHMARKS[scores.benchmark].best_score for scores in table]

    def draw(axes: Any) -> None:
        axes.bar(names, heights, color=MAIN)
        axes.set_ylim(0, 1)
        axes.set_ylabel("overall score / best score")
        axes.tick_params(axis="x", labelsize=7)

    return picture("scores of the models", draw)
