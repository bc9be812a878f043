"""``length_controlled``: pairs whose query says how long the response is (paper, section 3.5).

The base model is asked to weave that length into the query; what does not say it is asked for again
(``length_control`` in the experiment file).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any, get_args

from sl_dagster.assets.stage.identities import sampling_identity, section_identity
from sl_dagster.assets.stage.slot import Ask, Slot
from sl_dagster.assets.stage.task import Task
from sl_dagster.experiment import Experiment, LengthControl
from sl_dagster.method.length_control import (
    LANGUAGES,
    ConstraintType,
    draw_constraint,
    weaving_drop_reason,
)
from sl_dagster.method.lengths import length_named_in
from sl_dagster.method.words import count_words
from sl_dagster.resources.engines import Request
from sl_dagster.resources.records import Pair
from sl_dagster.resources.storage.stored_stage import StoredStage

# A woven query is hardly longer than the query; what runs on has gone astray.
_TOKENS_PER_WORD, _MORE_TOKENS = 8, 256


class LengthControlled(Task):
    """The base model weaves a length into the query of each pair that suits it."""

    name = "length_controlled"
    inputs = ("dataset",)
    per = "experiment"
    job = "dataset"
    code_version = "2"
    record = Pair
    reads = (
        "length_control.min_words",
        "length_control.max_words",
        "length_control.roundings",
        "length_control.tries",
        "length_control.sampling",
        "prompts.weave",
    )

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        self.description = (
            f"The pairs whose response has {self.control.min_words:,} words or more and fewer than "
            f"{self.control.max_words:,}: the base model weaves its length into the query."
        )

    @property
    def control(self) -> LengthControl:
        """Which queries get a length, and which one."""
        return self.experiment.length_control

    def identity(self) -> list[Any]:
        prompts = self.experiment.prompts_by_language
        return [
            section_identity(
                self.control, "min_words", "max_words", "roundings", "tries", "sampling"
            ),
            sampling_identity(self.experiment.sampling_of("length_control")),
            {language: prompts[language].weave for language in prompts},
        ]

    @property
    def tries(self) -> int:
        return self.control.tries

    @cached_property
    def count(self) -> int:
        return sum(1 for _ in self.source_records())

    def source_records(self) -> Iterator[Pair]:
        """The pairs that get a length: of the right length, and naming none yet.

        In a language that has no wording of lengths here, none do.
        """
        for pair in self.sources[0].records(Pair):
            fits = self.control.min_words <= pair.words < self.control.max_words
            fits = fits and pair.language in LANGUAGES
            if fits and not length_named_in(pair.query):
                yield pair

    async def attempt(self, slot: Slot[Pair], number: int, ask: Ask) -> Pair:
        """One try for one pair, always with the same constraint."""
        pair, query = slot.source, slot.source.query
        constraint = draw_constraint(
            pair.words,
            slot.language,
            min_words=self.control.min_words,
            max_words=self.control.max_words,
            roundings=self.control.roundings,
            seed=slot.seed(0, "constraint"),
        )
        message = self.experiment.prompts_by_language[slot.language].weaving(query, constraint.text)
        sampling = self.experiment.sampling_of("length_control")
        request = Request(message, sampling, slot.seed(number), self.writer)
        limit = _TOKENS_PER_WORD * count_words(query) + _MORE_TOKENS
        completion = await ask(request.limited_to(limit))
        woven = completion.text.strip()
        reason = weaving_drop_reason(
            woven, query, constraint, slot.language, finish_reason=completion.finish_reason
        )
        return replace(
            pair,
            **slot.identity,
            query=woven,
            constraint=constraint.text,
            constraint_type=constraint.type,
            constraint_words=constraint.words,
            finish_reason=completion.finish_reason,
            kept=reason is None,
            drop_reason=reason,
        )

    def facts(self, stage: StoredStage) -> dict[str, Any]:
        """How many pairs there are of each type of constraint."""
        found = Counter(stage.column("constraint_type"))
        types = {f"pairs_{kind}": found[kind] for kind in get_args(ConstraintType)}
        return {"left_as_they_are": len(self.sources[0]) - self.count} | types
