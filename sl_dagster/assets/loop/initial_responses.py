"""``initial_responses``: the Generator answers the instructions (paper, section 3.2).

Each instruction is answered several times, and asked again where an answer does not pass the
response filter. Of the answers that do, the longer ones are preferred.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sl_dagster.assets.stage.identities import filter_identity, sampling_identity, section_identity
from sl_dagster.assets.stage.slot import Ask, Slot
from sl_dagster.assets.stage.task import Task
from sl_dagster.identity import seed_from
from sl_dagster.method.prompts import Message
from sl_dagster.method.responses import response_drop_reason, response_in
from sl_dagster.method.selection import draw_by_rank
from sl_dagster.resources.engines import Request
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.journal import Outcome


class InitialResponses(Task):
    """The Generator's answers to the instructions."""

    name = "initial_responses"
    description = (
        "The Generator's answers to the instructions that pass the response filter; the longer "
        "an answer, the likelier it was selected."
    )
    inputs = ("instructions",)
    weights = "previous_generator"
    role = "generator"
    code_version = "2"
    reads = (
        "initial_responses.samples",
        "initial_responses.tries",
        "initial_responses.sampling",
        "filter.preset",
        "length_selection",
    )

    def identity(self) -> list[Any]:
        experiment = self.experiment
        return [
            section_identity(experiment.initial_responses, "samples", "tries", "sampling"),
            sampling_identity(experiment.sampling_of("initial_responses")),
            filter_identity(experiment),
            experiment.length_selection,
        ]

    @property
    def samples(self) -> int:
        return self.experiment.initial_responses.samples

    @property
    def tries(self) -> int:
        return self.experiment.initial_responses.tries

    async def attempt(self, slot: Slot[Text], number: int, ask: Ask) -> Text:
        message = Message(role="user", content=slot.source.text)
        sampling = self.experiment.sampling_of("initial_responses")
        request = Request(message, sampling, slot.seed(number), self.writer)
        completion = await ask(request)
        text, cut = response_in(completion.text.strip(), self.experiment.filter.preset)
        reason = response_drop_reason(
            text,
            slot.language,
            finish_reason=completion.finish_reason,
            preset=self.experiment.filter.preset,
        )
        return slot.judged(completion, text, reason, cut, instruction=slot.source.text)

    def choose(self, outcomes: Sequence[Outcome], texts: Iterable[str]) -> list[str | None] | None:
        if not self.experiment.length_selection:
            return None
        lengths = [outcome.characters for outcome in outcomes]
        stays = draw_by_rank(lengths, seed_from(self.fingerprint, "selection"))
        return [None if stay else "selection" for stay in stays]
