"""``quality_scores``: what the judge thinks of each model's answers, in seven dimensions."""

from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg

from sl_dagster.assets.stage.description import as_table
from sl_dagster.assets.stage.pictures import bars_picture
from sl_dagster.assets.stage.slot import Ask, Slot
from sl_dagster.assets.stage.task import Task
from sl_dagster.benchmarks import BENCHMARKS
from sl_dagster.errors import UserError
from sl_dagster.experiment import BASE_MODEL, Experiment, ServedModel
from sl_dagster.method.language import Language
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.judge import Judge, Question
from sl_dagster.resources.records import Judgement, Record
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stored_stage import StoredStage
from sl_dagster.results.answers import heldout_key
from sl_dagster.results.quality import OVERALL, QualityRow, quality_row


class QualityScores(Task):
    """The judge grades each answer of a model, several times."""

    name = "quality_scores"
    description = "The judge's scores (1 to 10) of a model's answers, one row per judgement."
    per = "model"
    job = "evaluate"
    record = Judgement
    about_texts = False
    reads = ("judge",)

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        benchmark = _benchmark(experiment)
        self.deps = () if benchmark else ("heldout_base", "heldout_responses")
        self.model_deps = (benchmark,) if benchmark else ()

    @property
    def served(self) -> ServedModel:
        return self.experiment.served_judge

    @cached_property
    def judge(self) -> Judge:
        """Who grades."""
        return Judge(self.served, Path(self.run.stages.data_dir))

    def identity(self) -> list[Any]:
        return [self.judge.identity["fingerprint"], self.samples, self.tries]

    @cached_property
    def sources(self) -> list[StoredStage]:
        return [self.run.stages.read(answers_of(self.experiment, str(self.run.key.model)))]

    @property
    def made_from(self) -> list[StoredStage | Adapter]:
        return [*self.sources]  # the judge's weights are nobody's adapter

    def columns(
        self, position: int, record_id: str, language: Language, parents: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        return super().columns(position, record_id, language, parents) | {"adapter": None}

    @property
    def samples(self) -> int:
        assert self.experiment.judge
        return self.experiment.judge.samples

    @property
    def tries(self) -> int:
        assert self.experiment.judge
        return self.experiment.judge.tries

    async def attempt(self, slot: Slot[Record], number: int, ask: Ask) -> Record:
        instruction, text = slot.source.instruction or "", slot.source.written
        sample = slot.position % self.samples
        answer = await self.judge.judge(Question(instruction, text, sample, number), ask)
        return slot.made(
            Judgement,
            answer.drop_reason,
            text=answer.completion.text,
            tokens=answer.completion.tokens,
            finish_reason=answer.completion.finish_reason,
            instruction=instruction,
            judge=self.judge.identity,
            scores=answer.scores,
        )

    def stored(self) -> StoredStage:
        # The judge may need the memory that the experiment's own engine holds.
        self.run.session.engines.release()
        return super().stored()

    def headline(self, stage: StoredStage) -> tuple[str, ...]:
        row = quality_row(stage)
        return (
            f"{row.scores[OVERALL].mean:.1f} of 10 overall",
            f"{row.answers} answers, judged by {Path(row.judge['model']).name}",
        )

    def picture(self, stage: StoredStage) -> dict[str, dg.MetadataValue]:
        scores = quality_row(stage).scores.items()
        rows = [(name, score.mean, f"{score.mean:.1f}") for name, score in scores]
        return {"mean_scores": bars_picture("mean scores by dimension", rows, best=10)}

    def facts(self, stage: StoredStage) -> dict[str, Any]:
        return _metadata(quality_row(stage))


def answers_of(experiment: Experiment, model: str) -> StageKey:
    """Where the answers of a model stand that its quality is judged by.

    They are those of the experiment's first benchmark, or else those to held-out instructions.

    Raises:
        UserError: the model has not been asked for any.
    """
    if benchmark := _benchmark(experiment):
        return StageKey(experiment.name, benchmark, None, model)
    if model == BASE_MODEL or model.isdigit():
        return heldout_key(experiment.name, 0 if model == BASE_MODEL else int(model))
    raise UserError(
        f"{experiment.name}/quality_scores: the {model} model has answered no held-out "
        f"instructions, so there is nothing to judge: choose {BASE_MODEL} or an iteration"
    )


def _benchmark(experiment: Experiment) -> str | None:
    """The asset of the experiment's first benchmark."""
    return next((BENCHMARKS[name].asset for name in experiment.benchmarks), None)


def _metadata(row: QualityRow) -> dict[str, Any]:
    table = [
        {"dimension": name, **{end: round(value, 2) for end, value in asdict(score).items()}}
        for name, score in row.scores.items()
    ]
    return {
        "confidence_95_%": as_table(table),
        **{name: round(score.mean, 3) for name, score in row.scores.items()},
        "answers": row.answers,
        "judge": f"{row.judge['model']} ({row.judge['revision']})",
        "judge_fingerprint": row.judge["fingerprint"],
        "prompt_version": row.judge["prompt_version"],
    }
