"""``heldout_base`` and ``heldout_responses``: the measurement of what the loop has achieved.

Instructions that never occur in training are answered by the bare base model, and after every
iteration by its Generator. The answers are measured, not chosen: all of them are kept, and
``drop_reason`` only notes what the response filter says.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sl_dagster.assets.measures.measured_answers import MeasuredAnswers
from sl_dagster.assets.stage.given import given_text
from sl_dagster.experiment import Sampling
from sl_dagster.inputs.instructions import InstructionLine, read_instructions
from sl_dagster.method.responses import missing_mentions
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.stored_stage import StoredStage
from sl_dagster.results.answers import heldout_key
from sl_dagster.results.growth import heldout_scores


class _Heldout(MeasuredAnswers):
    """What both stages have in common: held-out instructions are answered."""

    role = "generator"
    code_version = "3"
    reads = ("heldout.file", "languages", "heldout.sampling", "filter.preset")

    @cached_property
    def lines(self) -> list[InstructionLine]:
        """The held-out instructions."""
        assert self.experiment.heldout
        return read_instructions(self.experiment.heldout.file, self.experiment.languages)

    @property
    def questions(self) -> list[Text]:
        return [
            given_text(
                self.experiment,
                "heldout",
                "heldout",
                position,
                line.language,
                line.instruction,
                mentions=line.mentions,
            )
            for position, line in enumerate(self.lines)
        ]

    @property
    def sampling(self) -> Sampling:
        return self.experiment.sampling_of("heldout")

    def measured_by(self) -> list[Any]:
        return [line.model_dump() for line in self.lines]

    def measured(self, answer: dict[str, Any], question: Text) -> Text:
        """The answer with what it does not mention of what it was asked to."""
        mentions = question.mentions or ()
        missing = missing_mentions(answer["text"], mentions)
        return Text(**answer, mentions=mentions, missing_mentions=missing)

    def headline(self, stage: StoredStage) -> tuple[str, ...]:
        scores = heldout_scores(stage)
        return (
            *(() if self.run.key.iteration else ("The base model",)),
            f"{scores.mean_words:,.0f} words on average",
            f"{scores.accepted:.0%} accepted, {scores.relevant:.0%} relevant",
        )

    def facts(self, stage: StoredStage) -> dict[str, Any]:
        return heldout_scores(stage).shares()


class HeldoutBase(_Heldout):
    """The bare base model's answers."""

    name = "heldout_base"
    description = "The bare base model's answers to the held-out instructions: iteration 0."
    per = "experiment"


class HeldoutResponses(_Heldout):
    """The new Generator's answers, beside which the base model's lengths are shown."""

    name = "heldout_responses"
    description = "This iteration's new Generator answers the held-out instructions."
    weights = "generator_lora"

    def before(self) -> Sequence[int]:
        base = heldout_key(self.experiment.name, 0)
        if base not in self.run.stages.complete(self.experiment.name):
            return ()
        return self.run.stages.read(base).column("words")
