"""What both stages of a round share: the Extender is asked for a longer text (paper, 3.2).

How it is asked, how often, and what of its answer becomes a prefix, which either stage may need.
"""

import math
from typing import Any

from sl_dagster.assets.stage.identities import filter_identity, prompts_identity, sampling_identity
from sl_dagster.assets.stage.slot import Ask, Slot
from sl_dagster.assets.stage.task import Task
from sl_dagster.method.commentary import Cut
from sl_dagster.method.extension import prefix_drop_reason
from sl_dagster.method.paragraphs import first_half, first_two_thirds
from sl_dagster.method.responses import response_in
from sl_dagster.method.words import count_words
from sl_dagster.resources.engines import Completion, Request
from sl_dagster.resources.records import Text

_TOKENS_TO_END_WITH = 64


class ExtensionStage(Task):
    """The Extender lengthens the responses."""

    weights = "previous_extender"
    role = "extender"
    reads: tuple[str, ...] = (
        "extension.tries",
        "extension.max_tokens_per_input_word",
        "extension.sampling",
        "filter.preset",
        "prompts.extend",
    )

    @property
    def tries(self) -> int:
        """One where nothing is drawn: a second try would end as the first has."""
        greedy = self.experiment.sampling_of("extension").temperature == 0
        return 1 if greedy else self.experiment.extension.tries

    def identity(self) -> list[Any]:
        experiment = self.experiment
        return [
            experiment.extension.model_dump(include={"tries", "max_tokens_per_input_word"}),
            sampling_identity(experiment.sampling_of("extension")),
            filter_identity(experiment),
            prompts_identity(experiment, "extend"),
        ]

    def request(self, slot: Slot[Text], seed: int, text: str, begun: str = "") -> Request:
        """Asks the Extender for a longer version of a text, in a turn that has begun."""
        prompts = self.experiment.prompts_by_language[slot.language]
        message = prompts.extension(str(slot.source.instruction), text)
        sampling = self.experiment.sampling_of("extension")
        request = Request(message, sampling, seed, self.writer, begun)
        rate = self.experiment.extension.max_tokens_per_input_word
        if rate is None:
            return request
        return request.limited_to(
            math.ceil(rate * count_words(text, slot.language)) + _TOKENS_TO_END_WITH
        )

    async def prefix(
        self, slot: Slot[Text], seed: int, response: str, ask: Ask
    ) -> tuple[Completion, Cut, str | None]:
        """A prefix for a response, what was cut off, and why it is not good enough.

        The prefix is the completion's text, and its tokens are those of the prefix.
        """
        completion = await ask(self.request(slot, seed, first_half(response)))
        enriched, cut = response_in(completion.text, self.experiment.filter.preset)
        prefix = first_two_thirds(enriched)
        reason = prefix_drop_reason(
            prefix,
            slot.language,
            finish_reason=completion.finish_reason,
            preset=self.experiment.filter.preset,
        )
        return completion.cut_to(prefix), cut, reason
