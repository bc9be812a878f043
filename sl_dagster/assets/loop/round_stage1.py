"""``round<r>_stage1``: the Extender enriches the first half of a response (paper, section 3.2).

The first two thirds of what it makes of it become the prefix, with which the turn of stage 2
begins. A prefix that is empty, repeats itself or talks about the work is asked for again; where
none is good enough, stage 2 begins from nothing. Only round 1 makes several of each response
(``extension.samples``); the other settings are those of ``ExtensionStage``.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sl_dagster.assets.loop.extension_stage import ExtensionStage
from sl_dagster.assets.stage.slot import Ask, Slot
from sl_dagster.experiment import Experiment
from sl_dagster.method.paragraphs import first_half
from sl_dagster.method.words import count_words
from sl_dagster.resources.records import Text


class ExtendHalf(ExtensionStage):
    """The prefixes of a round."""

    def __init__(self, experiment: Experiment, number: int) -> None:
        self._is_first = number == 1
        self.name = f"round{number}_stage1"
        self.description = (
            f"Round {number}, stage 1: the Extender enriches the first half of each response; the "
            "first two thirds of its output become the prefix of stage 2."
        )
        self.inputs = ("initial_responses" if self._is_first else f"round{number - 1}_stage2",)
        self.reads = (*self.reads, *(["extension.samples"] if self._is_first else []))
        super().__init__(experiment)

    def identity(self) -> list[Any]:
        return [*super().identity(), self.samples]

    @property
    def samples(self) -> int:
        return self.experiment.extension.samples if self._is_first else 1

    async def attempt(self, slot: Slot[Text], number: int, ask: Ask) -> Text:
        response = slot.source.text
        prefix, cut, reason = await self.prefix(slot, slot.seed(number), response, ask)
        return slot.judged(
            prefix,
            prefix.text,
            reason,
            cut,
            instruction=slot.source.instruction,
            initial_response=slot.source.initial_response or response,
            response=response,
        )

    def carry(self, slot: Slot[Text], failed: Text) -> Text:
        """No prefix: stage 2 begins its turn from nothing."""
        return replace(failed, text="", tokens=0, commentary=None)

    def before(self) -> Sequence[int]:
        responses = self.sources[0].records(Text)
        return [count_words(first_half(one.text), one.language) for one in responses]
