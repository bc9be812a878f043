"""``plans`` and ``planned_responses``: the baseline plan-then-write (AgentWrite, arXiv 2408.07055).

The base model plans a text for each instruction, and then writes it section by section, seeing the
plan and what it has written so far. It does so in every iteration: what a Generator has learned is
to answer at one go. The whole text is judged by the response filter.
"""

from dataclasses import replace
from statistics import fmean
from typing import Any

import dagster as dg

from sl_dagster.assets.stage.asset import stage_asset
from sl_dagster.assets.stage.config import StageConfig
from sl_dagster.assets.stage.description import stage_result
from sl_dagster.assets.stage.run import base_model, begin, slots_from
from sl_dagster.experiment import Experiment
from sl_dagster.method.outlines import outline_drop_reason, parse_outline, section_drop_reason
from sl_dagster.method.prompts import Message
from sl_dagster.method.responses import response_drop_reason
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines import Request
from sl_dagster.resources.records import Record
from sl_dagster.resources.stage_runner import Ask, Generation, Slot, StageRunner
from sl_dagster.resources.storage.stage_store import StoredStage

_BETWEEN_SECTIONS = "\n\n"


def plan_then_write_assets(experiment: Experiment) -> list[dg.AssetsDefinition]:
    """The plans, and the texts that are written to them."""
    return [_plans(experiment), _planned_responses(experiment)]


def _plans(experiment: Experiment) -> dg.AssetsDefinition:
    @stage_asset(
        experiment,
        "plans",
        description=(
            "Outlines of long texts: the base model lists the sections of a text for each "
            "instruction."
        ),
        kinds={"huggingface", "parquet"},
        inputs=("instructions",),
        settings=(
            "plan_then_write.samples",
            "plan_then_write.tries",
            "plan_then_write.max_sections",
            "plan_then_write.sampling",
        ),
        on_gpu=True,
        code_version="2",
    )
    def plans(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        instructions: StoredStage,
    ) -> dg.MaterializeResult:
        changed = config.over(experiment)
        writer = Writer(changed)
        samples = changed.plan_then_write.samples
        made_from = [instructions, writer.model]
        run = begin(
            context,
            config,
            changed,
            made_from=made_from,
            settings=[*writer.settings("plan"), samples, changed.plan_then_write.max_sections],
        )
        generation = Generation(
            slots=lambda: slots_from(run, instructions.records(), samples, writer.model),
            count=len(instructions) * samples,
            tries=changed.plan_then_write.tries,
            attempt=writer.plan,
        )
        stage = runner.generate(run, changed.served, generation)
        return stage_result(stage, made_from, more=_outline_metadata(stage))

    return plans


def _planned_responses(experiment: Experiment) -> dg.AssetsDefinition:
    @stage_asset(
        experiment,
        "planned_responses",
        description=(
            "Texts written to the plans, section by section, by the base model; those that pass "
            "the response filter."
        ),
        kinds={"huggingface", "parquet"},
        inputs=("plans",),
        settings=("plan_then_write.tries", "plan_then_write.sampling", "filter.preset"),
        on_gpu=True,
        code_version="2",
    )
    def planned_responses(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        plans: StoredStage,
    ) -> dg.MaterializeResult:
        changed = config.over(experiment)
        writer = Writer(changed)
        made_from = [plans, writer.model]
        run = begin(
            context,
            config,
            changed,
            made_from=made_from,
            settings=[*writer.settings("section"), changed.filter.model_dump()],
        )
        generation = Generation(
            slots=lambda: slots_from(run, plans.records(), 1, writer.model),
            count=len(plans),
            tries=changed.plan_then_write.tries,
            attempt=writer.write,
        )
        return stage_result(runner.generate(run, changed.served, generation), made_from)

    return planned_responses


def _outline_metadata(plans: StoredStage) -> dict[str, Any]:
    """How many sections the plans have, and how many words they ask for, where they say."""
    outlines = [parse_outline(str(record.text)) for record in plans.records()]
    words = [
        sum(section.words or 0 for section in outline)
        for outline in outlines
        if all(section.words for section in outline)
    ]
    return {
        **({"mean_sections": round(fmean(map(len, outlines)), 1)} if outlines else {}),
        **({"mean_planned_words": round(fmean(words), 1)} if words else {}),
    }


class Writer:
    """Asks the base model for a plan, or for all sections of a text, and judges the result."""

    def __init__(self, experiment: Experiment) -> None:
        self.model: Adapter = base_model(experiment)
        self._experiment = experiment
        self._settings = experiment.plan_then_write
        self._sampling = experiment.sampling_of("plan_then_write")

    def settings(self, prompt: str) -> list[Any]:
        """What the results of a stage depend on that uses this prompt."""
        prompts = self._experiment.prompts_by_language
        return [
            self._settings.tries,
            self._sampling.model_dump(),
            [getattr(prompts[language], prompt) for language in self._experiment.languages],
        ]

    async def plan(self, slot: Slot, number: int, ask: Ask) -> Record:
        """A plan for one instruction."""
        assert slot.source
        instruction = str(slot.source.text)
        message = self._experiment.prompts_by_language[slot.blank.language].planning(instruction)
        completion = await ask(self._request(message, slot.seed(number)))
        plan = completion.text.strip()
        reason = outline_drop_reason(
            plan,
            slot.blank.language,
            finish_reason=completion.finish_reason,
            max_sections=self._settings.max_sections,
        )
        return replace(
            slot.blank,
            instruction=instruction,
            text=plan,
            tokens=completion.tokens,
            finish_reason=completion.finish_reason,
            kept=reason is None,
            drop_reason=reason,
        )

    async def write(self, slot: Slot, number: int, ask: Ask) -> Record:
        """A text for one plan, each section after the other.

        A text that can become nothing any more is given up before its last section.
        """
        source = slot.source
        assert source
        prompts = self._experiment.prompts_by_language[slot.blank.language]
        instruction, plan = str(source.instruction), str(source.text)
        text, tokens, finish_reason, reason = "", 0, "stop", None
        for place, section in enumerate(parse_outline(plan)):
            message = prompts.writing(instruction, plan, text, section.text)
            completion = await ask(self._request(message, slot.seed(number, f"section {place}")))
            written = completion.text.strip()
            text = _BETWEEN_SECTIONS.join(filter(None, (text, written)))
            tokens, finish_reason = tokens + completion.tokens, completion.finish_reason
            reason = section_drop_reason(
                written, text, slot.blank.language, finish_reason=finish_reason
            )
            if reason:
                break
        reason = reason or response_drop_reason(
            text,
            slot.blank.language,
            finish_reason=finish_reason,
            preset=self._experiment.filter.preset,
        )
        return replace(
            slot.blank,
            instruction=instruction,
            text=text,
            tokens=tokens,
            finish_reason=finish_reason,
            kept=reason is None,
            drop_reason=reason,
        )

    def _request(self, message: Message, seed: int) -> Request:
        return Request(message, self._sampling, seed, self.model)
