"""``extended_responses``: the responses to train on, the longest preferred.

With Self-Lengthen, those that have grown enough (paper, section 3.3). A baseline has other long
responses in their place: texts written to a plan, or (in ``back_translation.py``) documents. No
model is asked: ``extension.growth`` says what is enough, ``length_selection`` chooses among those.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from sl_dagster.assets.stage.stage import Derivation
from sl_dagster.experiment import Experiment
from sl_dagster.identity import seed_from
from sl_dagster.method.extension import reasons_against
from sl_dagster.method.words import count_words
from sl_dagster.resources.records import Text

_DESCRIPTIONS = {
    "": "The responses that became long enough to train on; the longer, the likelier selected.",
    "initial_responses": (
        "The initial responses as they are: this experiment does not extend them."
    ),
    "planned_responses": (
        "The texts that were written to a plan, in place of extended ones; the longer, the "
        "likelier selected."
    ),
}


class ExtendedResponses(Derivation):
    """The responses of the last writing stage that have grown enough and are selected."""

    name = "extended_responses"

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        last = experiment.writing_stages[-1]
        self._extends = last not in _DESCRIPTIONS
        self.description = _DESCRIPTIONS.get(last, _DESCRIPTIONS[""])
        self.inputs = (last,)
        growth = ("extension.growth",) if self._extends else ()
        self.reads = (*growth, "length_selection")

    def identity(self) -> list[Any]:
        return [self.growth, self.experiment.length_selection]

    @property
    def growth(self) -> float:
        """A response must have more than this many times its initial words."""
        return self.experiment.extension.growth if self._extends else 0.0

    @cached_property
    def initial_words(self) -> list[int]:
        """Words of the responses before they were extended."""
        responses = self.sources[0].records(Text)
        return [count_words(one.initial_response or one.text, one.language) for one in responses]

    def records(self) -> Iterator[Text]:
        selecting = self.experiment.length_selection
        reasons = reasons_against(
            self.sources[0].column("words"),
            self.initial_words,
            self.sources[0].column("characters"),
            self.growth,
            seed_from(self.fingerprint, "selection") if selecting else None,
        )
        for slot, reason in zip(self.slots(), reasons, strict=True):
            source: Text = slot.source
            # Where nothing extended a response it is its own beginning; a planned text has none.
            unextended = source.text if source.stage == "initial_responses" else None
            yield slot.made(
                Text,
                reason,
                instruction=source.instruction,
                initial_response=source.initial_response or unextended,
                text=source.text,
                adapter=source.adapter,
                tokens=source.tokens,
            )

    def before(self) -> Sequence[int]:
        return self.initial_words if self._extends else ()
