"""``generator_sft`` and ``extender_sft``: what both roles learn from (paper, section 3.3).

No model is asked. Every extended response becomes an example of each role: for the Generator it
answers its instruction, for the Extender it follows its initial response, some of whose lines are
left out (``extension.line_dropout``).
"""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

from sl_dagster.assets.stage.identities import prompts_identity
from sl_dagster.assets.stage.slot import Slot
from sl_dagster.assets.stage.stage import Derivation
from sl_dagster.method.prompts import Message
from sl_dagster.method.training_pairs import extender_pair, generator_pair
from sl_dagster.resources.records import Example, Text

_Pair = tuple[list[Message], list[Message]]


class _SftSet(Derivation):
    """What both sets have in common: an example of each extended response."""

    inputs = ("extended_responses",)
    code_version = "2"
    record = Example

    @abstractmethod
    def pair(self, slot: Slot[Text]) -> _Pair:
        """Prompt and completion of a response's example."""

    def records(self) -> Iterator[Example]:
        for slot in self.slots():
            prompt, completion = self.pair(slot)
            yield slot.made(
                Example,
                instruction=slot.source.instruction,
                prompt=tuple(prompt),
                completion=tuple(completion),
            )


class GeneratorSft(_SftSet):
    """The instruction leads to the extended response."""

    name = "generator_sft"
    description = (
        "Training examples of the Generator: the instruction leads to the extended response."
    )
    role = "generator"

    def identity(self) -> list[Any]:
        return []

    def pair(self, slot: Slot[Text]) -> _Pair:
        return generator_pair(str(slot.source.instruction), slot.source.text)


class ExtenderSft(_SftSet):
    """The initial response, some of its lines missing, leads to the extended response."""

    name = "extender_sft"
    description = (
        "Training examples of the Extender: the extension prompt of the initial response, some of "
        "its lines missing, leads to the extended response."
    )
    role = "extender"
    reads = ("extension.line_dropout", "prompts.extend")

    def identity(self) -> list[Any]:
        experiment = self.experiment
        return [prompts_identity(experiment, "extend"), experiment.extension.line_dropout]

    def pair(self, slot: Slot[Text]) -> _Pair:
        return extender_pair(
            str(slot.source.instruction),
            str(slot.source.initial_response),
            slot.source.text,
            self.experiment.prompts_by_language[slot.language],
            dropout=self.experiment.extension.line_dropout,
            seed=slot.seed(1),
        )
