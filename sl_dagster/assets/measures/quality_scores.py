"""``quality_scores``: what the judge thinks of each model's answers, in seven dimensions."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg

from sl_dagster.assets.stage.asset import stage_asset
from sl_dagster.assets.stage.config import StageConfig
from sl_dagster.assets.stage.description import stage_result
from sl_dagster.assets.stage.run import begin, slots_from
from sl_dagster.benchmarks import BENCHMARKS
from sl_dagster.errors import UserError
from sl_dagster.experiment import BASE_MODEL, Experiment
from sl_dagster.resources.judge import Judge, Question
from sl_dagster.resources.records import JUDGEMENT_SCHEMA, Record
from sl_dagster.resources.stage_runner import Ask, Generation, Slot, StageRunner
from sl_dagster.resources.storage.stage_store import StageKey, StageStore, StoredStage
from sl_dagster.results.quality import QualityRow, quality_row


def quality_scores_assets(experiment: Experiment) -> list[dg.AssetsDefinition]:
    """The asset; none if the experiment has no judge, or no answers that measure models."""
    if experiment.judge is None or not (experiment.benchmarks or experiment.heldout):
        return []
    benchmark = _benchmark(experiment)

    @stage_asset(
        experiment,
        "quality_scores",
        description="The judge's scores (1 to 10) of a model's answers, one row per judgement.",
        kinds={"huggingface", "parquet"},
        on_gpu=True,
        deps=() if benchmark else ("heldout_base", "heldout_responses"),
        model_deps=(benchmark,) if benchmark else (),
        per_model=True,
        job="evaluate",
    )
    def quality_scores(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        stages: StageStore,
    ) -> dg.MaterializeResult:
        answers = stages.read(answers_of(experiment, context.partition_key))
        return _judge(context, config, runner, experiment, answers)

    return [quality_scores]


def answers_of(experiment: Experiment, model: str) -> StageKey:
    """Where the answers of a model stand that its quality is judged by.

    They are those of the experiment's first benchmark, or else those to held-out instructions.

    Raises:
        UserError: the model has not been asked for any.
    """
    if benchmark := _benchmark(experiment):
        return StageKey(experiment.name, benchmark, None, model)
    if model == BASE_MODEL:
        return StageKey(experiment.name, "heldout_base", None)
    if model.isdigit():
        return StageKey(experiment.name, "heldout_responses", int(model))
    raise UserError(
        f"{experiment.name}/quality_scores: the {model} model has answered no held-out "
        f"instructions, so there is nothing to judge: choose {BASE_MODEL} or an iteration"
    )


def _benchmark(experiment: Experiment) -> str | None:
    """The asset of the experiment's first benchmark."""
    return next((BENCHMARKS[name].asset for name in experiment.benchmarks), None)


def _judge(
    context: dg.AssetExecutionContext,
    config: StageConfig,
    runner: StageRunner,
    experiment: Experiment,
    answers: StoredStage,
) -> dg.MaterializeResult:
    """Judge a stage of records with an instruction and a text."""
    assert experiment.judge
    served = experiment.served_judge
    judge = Judge(served, Path(runner.stages.data_dir))
    samples, tries = experiment.judge.samples, experiment.judge.tries
    settings = [judge.identity["fingerprint"], samples, tries]
    run = begin(context, config, experiment, made_from=[answers], settings=settings)

    async def attempt(slot: Slot, number: int, ask: Ask) -> Record:
        assert slot.source
        instruction, text = slot.source.instruction or "", slot.source.text or ""
        sample = slot.blank.position % samples
        judgement = await judge.judge(Question(instruction, text, sample, number), ask)
        return replace(
            slot.blank,
            instruction=instruction,
            text=judgement.completion.text,
            tokens=judgement.completion.tokens,
            finish_reason=judgement.completion.finish_reason,
            judge=judge.identity,
            scores=judgement.scores,
            kept=judgement.scores is not None,
            drop_reason=judgement.drop_reason,
        )

    generation = Generation(
        slots=lambda: slots_from(run, answers.records(), samples, None),
        count=len(answers) * samples,
        tries=tries,
        attempt=attempt,
        schema=JUDGEMENT_SCHEMA,
    )
    # The judge may need the memory that the experiment's own engine holds.
    runner.engines.release()
    stage = runner.generate(run, served, generation)
    return stage_result(stage, [answers], more=_metadata(quality_row(stage)))


def _metadata(row: QualityRow) -> dict[str, Any]:
    columns = [
        dg.TableColumn("dimension"),
        *(dg.TableColumn(name, "float") for name in ("mean", "low", "high")),
    ]
    table = [
        dg.TableRecord(
            {
                "dimension": name,
                "mean": round(score.mean, 2),
                "low": round(score.low, 2),
                "high": round(score.high, 2),
            }
        )
        for name, score in row.scores.items()
    ]
    return {
        "judge": f"{row.judge['model']} ({row.judge['revision']})",
        "judge_fingerprint": row.judge["fingerprint"],
        "prompt_version": row.judge["prompt_version"],
        "answers": row.answers,
        **{name: round(score.mean, 3) for name, score in row.scores.items()},
        "scores (95 % confidence)": dg.MetadataValue.table(table, dg.TableSchema(columns)),
    }
