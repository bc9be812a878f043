"""``more_instructions`` and ``more_responses``: what is collected after the last iteration.

The paper's code, too, has the last Generator answer further instructions for the final data set.
"""

import dagster as dg

from sl_dagster.assets.loop.initial_responses import make_responses
from sl_dagster.assets.loop.instructions import instructions_of, make_instructions
from sl_dagster.assets.stage.asset import stage_asset
from sl_dagster.assets.stage.config import StageConfig
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.stage_runner import StageRunner
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_store import StageKey, StageStore, StoredStage


def collected_assets(experiment: Experiment) -> list[dg.AssetsDefinition]:
    """Both assets; none if the experiment collects nothing."""
    if not experiment.dataset.collect:
        return []
    return [_more_instructions(experiment), _more_responses(experiment)]


def finished_iterations(experiment: Experiment, stages: StageStore) -> list[int]:
    """The iterations that have left responses behind, of every stage that makes some.

    Raises:
        UserError: there is none, or what is stored of one is damaged.
    """
    stored = set(stages.complete(experiment.name))

    def is_finished(iteration: int) -> bool:
        keys = [StageKey(experiment.name, name, iteration) for name in experiment.response_stages]
        return all(key in stored and len(stages.read(key)) for key in keys)

    finished = [i for i in range(1, experiment.iterations + 1) if is_finished(i)]
    if not finished:
        made_of = " and ".join(f"`{name}`" for name in experiment.response_stages)
        raise UserError(
            f"{experiment.name} has no finished iteration yet: its data set is made of the "
            f"{made_of} of all iterations that are stored. Run an iteration first"
        )
    return finished


def last_generator(experiment: Experiment, adapters: AdapterStore) -> Adapter:
    """The Generator of the last iteration that has trained one, verified.

    Raises:
        UserError: there is none, or it is damaged.
    """
    for iteration in range(experiment.iterations, 0, -1):
        key = StageKey(experiment.name, "generator_lora", iteration)
        if adapters.has(key):
            return adapters.read(key).adapter.verified()
    raise UserError(
        f"dataset.collect: {experiment.name} has no trained Generator yet that could answer more "
        "instructions: run an iteration first"
    )


def _more_instructions(experiment: Experiment) -> dg.AssetsDefinition:
    changed = experiment.instructions.model_copy(update={"count": experiment.dataset.collect})
    more = experiment.model_copy(update={"instructions": changed})

    @stage_asset(
        experiment,
        "more_instructions",
        description=(
            "As many more instructions as `dataset.collect` says, made up like those of the "
            "iterations."
        ),
        kinds={"huggingface", "parquet"},
        on_gpu=True,
        # Looked up, because what is stored of them is taken: not every iteration has been run.
        deps=("seeds", "instructions"),
        partitioned=False,
        job="dataset",
    )
    def more_instructions(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        stages: StageStore,
    ) -> dg.MaterializeResult:
        finished = finished_iterations(more, stages)
        sources = [stages.read(StageKey(more.name, "seeds", None))]
        if more.instructions.pool == "growing":
            sources += instructions_of(more, stages, finished)
        return make_instructions(context, config, runner, more, sources)

    return more_instructions


def _more_responses(experiment: Experiment) -> dg.AssetsDefinition:
    @stage_asset(
        experiment,
        "more_responses",
        description=(
            "The last Generator's answers to `more_instructions`, filtered and selected like "
            "initial responses."
        ),
        kinds={"huggingface", "parquet"},
        on_gpu=True,
        inputs=("more_instructions",),
        deps=("generator_lora",),
        partitioned=False,
        job="dataset",
    )
    def more_responses(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        adapters: AdapterStore,
        more_instructions: StoredStage,
    ) -> dg.MaterializeResult:
        generator = last_generator(experiment, adapters)
        return make_responses(context, config, runner, experiment, more_instructions, generator)

    return more_responses
