"""``dataset``: all responses of all iterations as (query, response) pairs (paper, section 3.5)."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import dagster as dg

from sl_dagster.assets.final.collected import finished_iterations
from sl_dagster.assets.stage.asset import stage_asset
from sl_dagster.assets.stage.config import StageConfig
from sl_dagster.assets.stage.description import stage_result
from sl_dagster.assets.stage.run import begin, slots_from
from sl_dagster.experiment import Experiment
from sl_dagster.method.final_set import SeenPairs, collect, common_kind, split_of
from sl_dagster.method.instructions import Kind
from sl_dagster.resources.records import PAIR_SCHEMA, Record
from sl_dagster.resources.stage_runner import StageRun, StageRunner
from sl_dagster.resources.storage.stage_store import StageKey, StageStore, StoredStage


def dataset_asset(experiment: Experiment) -> dg.AssetsDefinition:
    """The final data set as records."""
    collected = ("more_responses",) if experiment.dataset.collect else ()

    @stage_asset(
        experiment,
        "dataset",
        description=(
            f"The {_named(experiment)} of all iterations that are stored, each with the query it "
            "answers; without duplicates, and split by instruction."
        ),
        kinds={"parquet"},
        # Looked up, because what is stored of them is taken: not every iteration has been run.
        deps=(experiment.source_stage, *experiment.response_stages, *collected),
        partitioned=False,
        job="dataset",
    )
    def dataset(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        stages: StageStore,
    ) -> dg.MaterializeResult:
        iterations = finished_iterations(experiment, stages)
        context.log.info(f"made of iterations {', '.join(map(str, iterations))}")
        sources = _Sources(experiment, stages, iterations)
        settings = experiment.dataset.model_dump(include={"validation_split"})
        made_from = [*sources.responses, *sources.instructions, sources.first]
        run = begin(
            context,
            config,
            experiment,
            made_from=made_from,
            settings=[settings],
        )
        stage = runner.write(run, _pairs(run, experiment, sources), len(sources), PAIR_SCHEMA)
        more = {"iterations": iterations} | _composition(stage)
        return stage_result(stage, made_from, more=more)

    return dataset


class _Sources:
    """The stages that the data set is made of.

    Attributes:
        responses: those of each iteration, stage by stage, then what was collected.
        instructions: those they answer, earlier iterations first.
        first: the seeds, or documents, that the instructions were made from.
    """

    def __init__(self, experiment: Experiment, stages: StageStore, iterations: list[int]) -> None:
        def read(name: str, iteration: int | None = None) -> StoredStage:
            return stages.read(StageKey(experiment.name, name, iteration))

        self._by_iteration = [
            [read(name, i) for name in experiment.response_stages] for i in iterations
        ]
        collects = experiment.dataset.collect > 0
        self._more = [read("more_responses")] if collects else []
        self.responses = [*chain.from_iterable(self._by_iteration), *self._more]
        self.instructions = [read("instructions", i) for i in iterations]
        self.instructions += [read("more_instructions")] if collects else []
        self.first = read(experiment.source_stage)

    def __len__(self) -> int:
        return sum(map(len, self.responses))

    def records(self) -> Iterator[Record]:
        """All responses, read one at a time."""
        yield from collect([stage.records() for stage in made] for made in self._by_iteration)
        for stage in self._more:
            yield from stage.records()

    def kinds(self) -> dict[str, Kind | None]:
        """Of each instruction the kind of the seeds that it was made up from.

        Nobody says of what kind a self-made instruction is; only where all of its examples, or
        theirs, are of one kind, it is taken to be of that kind, too.
        """
        by_id: dict[str, Kind | None] = {}
        by_text: dict[str, Kind | None] = {}
        for first in self.first.records():
            by_id[first.record_id] = first.kind
        for instruction in chain.from_iterable(stage.records() for stage in self.instructions):
            kind = common_kind(by_id.get(parent) for parent in instruction.parents)
            by_id[instruction.record_id] = by_text[str(instruction.text)] = kind
        return by_text


def _pairs(run: StageRun, experiment: Experiment, sources: _Sources) -> Iterator[Record]:
    seen, kinds = SeenPairs(), sources.kinds()
    share = experiment.dataset.validation_split
    for slot in slots_from(run, sources.records(), 1, None):
        source = slot.source
        assert source and source.instruction is not None and source.text is not None
        new = seen.add(source.instruction, source.text)
        yield replace(
            slot.blank,
            query=source.instruction,
            response=source.text,
            instruction=source.instruction,
            kind=kinds.get(source.instruction),
            split=split_of(source.instruction, share, experiment.seed),
            source_id=source.record_id,
            source_stage=source.stage,
            source_iteration=source.iteration,
            adapter=source.adapter,
            tokens=source.tokens,
            kept=new,
            drop_reason=None if new else "duplicate",
        )


def _named(experiment: Experiment) -> str:
    return " and ".join(name.replace("_", " ") for name in experiment.response_stages)


def _composition(stage: StoredStage) -> dict[str, Any]:
    """How many pairs there are on each side of the split, and where they come from."""
    return {
        **_counts(stage.column("split")),
        **_counts(f"pairs_{name}" for name in stage.column("source_stage")),
        "instructions": len(set(stage.column("instruction"))),
    }


def _counts(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
