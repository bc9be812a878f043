"""``round<r>_stage2``: the Extender goes on from the prefix to the end (paper, section 3.2).

It is given the whole response, its turn begun with the prefix of stage 1. An output that passes the
filter and is longer than the response goes into the next round in its place; otherwise the
response itself does. Remarks about the writing, before or after a text, are cut off and kept.

Where the paper's code starts the whole chain of rounds over when a response has not grown in the
end, this stage asks again at once for just the record that was not good enough. Like the paper's,
it asks again only for what has not grown: a response that the rounds before have made long enough
to train on may become longer still, in one attempt. No turn begins twice with the same prefix: the
prefix may be what has failed, so a later try has the Extender write another one first.
``prefix_characters`` says how much of a text is its prefix: that of the parent in the first
attempt, in any other one of its own.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from sl_dagster.assets.loop.extension_stage import ExtensionStage
from sl_dagster.assets.stage.slot import Ask, Slot
from sl_dagster.experiment import Experiment
from sl_dagster.method.extension import extension_drop_reason, has_grown
from sl_dagster.method.responses import response_in
from sl_dagster.method.words import count_words
from sl_dagster.resources.records import Text


class ExtendWhole(ExtensionStage):
    """The responses as a round leaves them."""

    code_version = "2"
    reads = (*ExtensionStage.reads, "extension.new_prefixes")

    def __init__(self, experiment: Experiment, number: int) -> None:
        self._is_first = number == 1
        self.name = f"round{number}_stage2"
        self.description = (
            f"Round {number}, stage 2: the Extender enriches the whole response, its turn begun "
            "with the prefix. A response that did not become longer goes on as it was."
        )
        self.inputs = (f"round{number}_stage1",)
        if not self._is_first:
            self.reads = (*self.reads, "extension.retry_grown", "extension.growth")
        super().__init__(experiment)

    def identity(self) -> list[Any]:
        # Named only where they are on, so that what was stored before they existed stays as it is.
        extension = self.experiment.extension
        new_prefixes = ["new prefixes"] if extension.new_prefixes else []
        retries = [] if self._is_first or extension.retry_grown else ["not grown", extension.growth]
        return [*super().identity(), *new_prefixes, *retries]

    def tries_for(self, slot: Slot[Text]) -> int:
        """One where the rounds before have made the response long enough."""
        extension = self.experiment.extension
        if self._is_first or extension.retry_grown:
            return self.tries
        texts = (slot.source.response, slot.source.initial_response)
        words, initial_words = (count_words(str(text), slot.language) for text in texts)
        return 1 if has_grown(words, initial_words, extension.growth) else self.tries

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
            output,
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
