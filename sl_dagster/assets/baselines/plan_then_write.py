"""``plans`` and ``planned_responses``: the baseline plan-then-write (AgentWrite, arXiv 2408.07055).

The base model plans a text for each instruction, and then writes it section by section, seeing the
plan and what it has written so far. It does so in every iteration: what a Generator has learned is
to answer at one go. What it says about its writing, before or after a section, is cut off. The
whole text is judged by the response filter. ``plan_then_write`` in the experiment file says how
often and how the model is asked.
"""

from dataclasses import replace
from statistics import fmean
from typing import Any

from sl_dagster.assets.stage.identities import filter_identity, prompts_identity, sampling_identity
from sl_dagster.assets.stage.slot import Ask, Slot
from sl_dagster.assets.stage.task import Task
from sl_dagster.method.commentary import Cut
from sl_dagster.method.outlines import (
    outline_drop_reason,
    parse_outline,
    section_drop_reason,
    section_in,
)
from sl_dagster.method.prompts import Message
from sl_dagster.method.responses import response_drop_reason
from sl_dagster.resources.engines import Completion, Request
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.stored_stage import StoredStage

_BETWEEN_SECTIONS = "\n\n"


class _PlanThenWrite(Task):
    """What both stages have in common: whom they ask, and how."""

    @property
    def tries(self) -> int:
        return self.experiment.plan_then_write.tries

    def common_identity(self, prompt: str) -> list[Any]:
        """The common part of the identity of a stage that uses this prompt."""
        return [
            self.tries,
            sampling_identity(self.experiment.sampling_of("plan_then_write")),
            prompts_identity(self.experiment, prompt),
        ]

    def request(self, message: Message, seed: int) -> Request:
        """Asks the base model."""
        sampling = self.experiment.sampling_of("plan_then_write")
        return Request(message, sampling, seed, self.writer)


class Plans(_PlanThenWrite):
    """Outlines of long texts."""

    name = "plans"
    description = (
        "Outlines of long texts: the base model lists the sections of a text for each instruction."
    )
    inputs = ("instructions",)
    code_version = "2"
    reads = (
        "plan_then_write.samples",
        "plan_then_write.tries",
        "plan_then_write.max_sections",
        "plan_then_write.sampling",
        "prompts.plan",
    )

    def identity(self) -> list[Any]:
        max_sections = self.experiment.plan_then_write.max_sections
        return [*self.common_identity("plan"), self.samples, max_sections]

    @property
    def samples(self) -> int:
        return self.experiment.plan_then_write.samples

    async def attempt(self, slot: Slot[Text], number: int, ask: Ask) -> Text:
        instruction = slot.source.text
        message = self.experiment.prompts_by_language[slot.language].planning(instruction)
        completion = await ask(self.request(message, slot.seed(number)))
        plan = completion.text.strip()
        reason = outline_drop_reason(
            plan,
            slot.language,
            finish_reason=completion.finish_reason,
            max_sections=self.experiment.plan_then_write.max_sections,
        )
        return slot.judged(completion, plan, reason, instruction=instruction)

    def facts(self, stage: StoredStage) -> dict[str, Any]:
        """How many sections the plans have, and how many words they ask for, where they say."""
        outlines = [parse_outline(record.text) for record in stage.records(Text)]
        words = [
            sum(section.words or 0 for section in outline)
            for outline in outlines
            if all(section.words for section in outline)
        ]
        return {
            **({"mean_sections": round(fmean(map(len, outlines)), 1)} if outlines else {}),
            **({"mean_planned_words": round(fmean(words), 1)} if words else {}),
        }


class PlannedResponses(_PlanThenWrite):
    """Texts written to the plans, each section after the other."""

    name = "planned_responses"
    description = (
        "Texts written to the plans, section by section, by the base model; those that pass the "
        "response filter."
    )
    inputs = ("plans",)
    code_version = "3"
    reads = (
        "plan_then_write.tries",
        "plan_then_write.sampling",
        "filter.preset",
        "prompts.section",
    )

    def identity(self) -> list[Any]:
        return [*self.common_identity("section"), filter_identity(self.experiment)]

    async def attempt(self, slot: Slot[Text], number: int, ask: Ask) -> Text:
        """A text that can become nothing any more is given up before its last section."""
        prompts = self.experiment.prompts_by_language[slot.language]
        instruction, plan = str(slot.source.instruction), slot.source.text
        whole, cut, reason = Completion("", 0, 0, "stop"), Cut(), None
        for place, section in enumerate(parse_outline(plan)):
            message = prompts.writing(instruction, plan, whole.text, section.text)
            part = await ask(self.request(message, slot.seed(number, f"section {place}")))
            written, remarks = section_in(part.text.strip(), self.experiment.filter.preset)
            if remarks:
                part, cut = part.cut_to(written), cut + remarks
            text = _BETWEEN_SECTIONS.join(filter(None, (whole.text, written)))
            whole = replace(part, text=text, tokens=whole.tokens + part.tokens)
            reason = section_drop_reason(
                written, text, slot.language, finish_reason=part.finish_reason
            )
            if reason:
                break
        reason = reason or response_drop_reason(
            whole.text,
            slot.language,
            finish_reason=whole.finish_reason,
            preset=self.experiment.filter.preset,
        )
        return slot.judged(whole, whole.text, reason, cut, instruction=instruction)
