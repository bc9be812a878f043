"""``dataset``: all responses of all iterations as (query, response) pairs (paper, section 3.5).

No model is asked. No pair stands in it twice, and all that answer one instruction are on one side
of the split (``dataset.validation_split``).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import chain
from typing import Any

from sl_dagster.assets.final.collected import finished_iterations
from sl_dagster.assets.stage.stage import Derivation
from sl_dagster.experiment import Experiment
from sl_dagster.method.final_set import SeenPairs, collect, common_kind, split_of
from sl_dagster.method.instructions import Kind
from sl_dagster.resources.records import Pair, Text
from sl_dagster.resources.storage.stored_stage import StoredStage


class Dataset(Derivation):
    """The pairs; none twice."""

    name = "dataset"
    per = "experiment"
    job = "dataset"
    record = Pair
    reads = ("dataset.validation_split",)

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        named = " and ".join(name.replace("_", " ") for name in experiment.response_stages)
        self.description = (
            f"The {named} of all iterations that are stored, each with the query it answers; "
            "without duplicates, and split by instruction."
        )
        collected = ("more_responses",) if experiment.dataset.collect else ()
        # Looked up, because what is stored of them is taken: not every iteration has been run.
        self.deps = (experiment.source_stage, *experiment.response_stages, *collected)

    def identity(self) -> list[Any]:
        return [self.experiment.dataset.model_dump(include={"validation_split"})]

    @cached_property
    def iterations(self) -> list[int]:
        """The iterations that the pairs are taken from."""
        return finished_iterations(self.run)

    @cached_property
    def by_iteration(self) -> list[list[StoredStage]]:
        """The stages of responses of each iteration."""
        names = self.experiment.response_stages
        return [[self.run.read(name, i) for name in names] for i in self.iterations]

    @cached_property
    def responses(self) -> list[StoredStage]:
        """Those of each iteration, stage by stage, then what was collected."""
        return [*chain.from_iterable(self.by_iteration), *self._collected("more_responses")]

    @cached_property
    def instructions(self) -> list[StoredStage]:
        """The instructions that they answer, earlier iterations first."""
        made = [self.run.read("instructions", iteration) for iteration in self.iterations]
        return [*made, *self._collected("more_instructions")]

    @cached_property
    def sources(self) -> list[StoredStage]:
        first = self.run.read(self.experiment.source_stage)
        return [*self.responses, *self.instructions, first]

    def _collected(self, name: str) -> list[StoredStage]:
        return [self.run.read(name)] if self.experiment.dataset.collect else []

    @property
    def count(self) -> int:
        return sum(map(len, self.responses))

    def source_records(self) -> Iterator[Text]:
        yield from collect([stage.records(Text) for stage in made] for made in self.by_iteration)
        for stage in self._collected("more_responses"):
            yield from stage.records(Text)

    def records(self) -> Iterator[Pair]:
        seen, kinds = SeenPairs(), self._kinds()
        share = self.experiment.dataset.validation_split
        for slot in self.slots():
            source: Text = slot.source
            instruction, response = str(source.instruction), source.text
            yield slot.made(
                Pair,
                None if seen.add(instruction, response) else "duplicate",
                query=instruction,
                response=response,
                instruction=instruction,
                kind=kinds.get(instruction),
                split=split_of(instruction, share, self.experiment.seed),
                source_id=source.record_id,
                source_stage=source.stage,
                source_iteration=source.iteration,
                adapter=source.adapter,
                tokens=source.tokens,
            )

    def _kinds(self) -> dict[str, Kind | None]:
        """Of each instruction the kind of the seeds that it was made up from.

        Nobody says of what kind a self-made instruction is; only where all of its examples, or
        theirs, are of one kind, it is taken to be of that kind, too.
        """
        by_id: dict[str, Kind | None] = {}
        by_text: dict[str, Kind | None] = {}
        for first in self.sources[-1].records(Text):
            by_id[first.record_id] = first.kind
        for instruction in chain.from_iterable(stage.records(Text) for stage in self.instructions):
            kind = common_kind(by_id.get(parent) for parent in instruction.parents)
            by_id[instruction.record_id] = by_text[instruction.text] = kind
        return by_text

    def stored(self) -> StoredStage:
        self.run.say(f"made of iterations {', '.join(map(str, self.iterations))}")
        return super().stored()

    def facts(self, stage: StoredStage) -> dict[str, Any]:
        """How many pairs there are on each side of the split, and where they come from."""
        return {
            "iterations": self.iterations,
            **_counts(stage.column("split")),
            **_counts(f"pairs_{name}" for name in stage.column("source_stage")),
            "instructions": len(set(stage.column("instruction"))),
        }


def _counts(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
