"""``round<r>_stage1`` and ``round<r>_stage2``: the Extender lengthens the responses (paper, 3.2).

Stage 1 gives the Extender the first half of a response and keeps the first two thirds of what it
makes of it: the prefix. Stage 2 gives it the whole response, lets its turn begin with the prefix,
and has it go on to the end. An output that passes the filter and is longer than the response goes
into the next round in its place; otherwise the response itself does.

Where the paper's code starts the whole chain of rounds over when a response has not grown in the
end, a stage here asks again at once for just the record that was not good enough. Stage 2 does
not begin twice with the same prefix: the prefix may be what has failed, so a later try has the
Extender write another one first. ``prefix_characters`` says how much of a text is its prefix: that
of the parent in the first attempt, in any other one of its own.

What the Extender says about its work, before or after a text, is cut off, and the record keeps it.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from sl_dagster.assets.stage.config import filter_identity, prompts_identity, sampling_identity
from sl_dagster.assets.stage.slot import Ask, Slot
from sl_dagster.assets.stage.task import Task
from sl_dagster.experiment import Experiment
from sl_dagster.method.commentary import Cut
from sl_dagster.method.extension import extension_drop_reason, prefix_drop_reason
from sl_dagster.method.paragraphs import first_half, first_two_thirds
from sl_dagster.method.responses import response_in
from sl_dagster.method.words import count_words
from sl_dagster.resources.engines import Completion, Request
from sl_dagster.resources.records import Text

_TOKENS_TO_END_WITH = 64
_READS = (
    "extension.tries",
    "extension.max_tokens_per_input_word",
    "extension.sampling",
    "filter.preset",
    "prompts.extend",
)


class _Extension(Task):
    """What both stages of a round have in common: the Extender is asked to extend a text."""

    weights = "previous_extender"
    role = "extender"

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

    async def prefix(
        self, slot: Slot[Text], seed: int, response: str, ask: Ask
    ) -> tuple[Completion, Cut, str | None]:
        """A prefix for a response, what was cut off, and why it is not good enough (stage 1).

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


class ExtendHalf(_Extension):
    """Stage 1: the Extender enriches the first half; two thirds of that become the prefix."""

    def __init__(self, experiment: Experiment, number: int) -> None:
        self._is_first = number == 1
        self.name = f"round{number}_stage1"
        self.description = (
            f"Round {number}, stage 1: the Extender enriches the first half of each response; the "
            "first two thirds of its output become the prefix of stage 2."
        )
        self.inputs = ("initial_responses" if self._is_first else f"round{number - 1}_stage2",)
        self.reads = (*_READS, "extension.samples") if self._is_first else _READS
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


class ExtendWhole(_Extension):
    """Stage 2: the Extender enriches the whole response, its turn begun with the prefix."""

    code_version = "2"
    reads = (*_READS, "extension.new_prefixes")

    def __init__(self, experiment: Experiment, number: int) -> None:
        self.name = f"round{number}_stage2"
        self.description = (
            f"Round {number}, stage 2: the Extender enriches the whole response, its turn begun "
            "with the prefix. A response that did not become longer goes on as it was."
        )
        self.inputs = (f"round{number}_stage1",)
        super().__init__(experiment)

    def identity(self) -> list[Any]:
        # Named only where it is on, so that what was stored before it existed stays as it is.
        new_prefixes = ["new prefixes"] if self.experiment.extension.new_prefixes else []
        return [*super().identity(), *new_prefixes]

    async def attempt(self, slot: Slot[Text], number: int, ask: Ask) -> Text:
        response, columns = str(slot.source.response), self._columns(slot)
        prefix, tokens = slot.source.text, slot.source.tokens or 0
        if number > 1 and self.experiment.extension.new_prefixes:
            seed = slot.seed(number, "prefix")
            first, cut, reason = await self.prefix(slot, seed, response, ask)
            prefix, tokens = first.text, first.tokens
            if not reason and prefix in self._failed[slot.record_id]:
                reason = "same_prefix"
            if reason:
                return slot.judged(first, prefix, reason, cut, **columns)
        completion = await ask(self.request(slot, slot.seed(number), response, begun=prefix))
        output = replace(
            completion, text=prefix + completion.text, tokens=completion.tokens + tokens
        )
        text, cut = response_in(output.text.strip(), self.experiment.filter.preset)
        reason = extension_drop_reason(
            text,
            response,
            slot.language,
            finish_reason=output.finish_reason,
            preset=self.experiment.filter.preset,
        )
        if reason:
            self._failed[slot.record_id].add(prefix)
        # What is cut off may have stood in the prefix.
        left = len(prefix) - output.text.find(text)
        return slot.judged(
            output.cut_to(text) if cut else output,
            text,
            reason,
            cut,
            prefix_characters=min(max(left, 0), len(text)),
            **columns,
        )

    @cached_property
    def _failed(self) -> dict[str, set[str]]:
        """The prefixes that have failed in this run, by the id of the record to be."""
        return defaultdict(set)

    def _columns(self, slot: Slot[Text]) -> dict[str, Any]:
        names = ("instruction", "initial_response")
        return {name: getattr(slot.source, name) for name in names}

    def carry(self, slot: Slot[Text], failed: Text) -> Text:
        """The response as it was before the round."""
        of_the_attempt = ("tokens", "finish_reason", "prefix_characters", "commentary")
        nothing = dict.fromkeys(of_the_attempt)
        return replace(failed, text=str(slot.source.response), **nothing)

    def before(self) -> Sequence[int]:
        prefixes = self.sources[0].records(Text)
        return [count_words(str(one.response), one.language) for one in prefixes]
