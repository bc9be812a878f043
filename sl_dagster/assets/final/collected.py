"""``more_instructions`` and ``more_responses``: what is collected after the last iteration.

The paper's code, too, has the last Generator answer further instructions for the final data set.
"""

from functools import cached_property

from sl_dagster.assets.loop.initial_responses import InitialResponses
from sl_dagster.assets.loop.instruction_pool import earlier_instructions
from sl_dagster.assets.loop.instructions import Instructions
from sl_dagster.assets.stage.run import StageRun
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stored_stage import StoredStage


class MoreInstructions(Instructions):
    """Instructions made up like those of the iterations, from all of them."""

    name = "more_instructions"
    description = (
        "As many more instructions as `dataset.collect` says, made up like those of the iterations."
    )
    per = "experiment"
    job = "dataset"
    inputs = ()
    code_version = "1"
    reads = tuple(
        "dataset.collect" if setting == "instructions.count" else setting
        for setting in Instructions.reads
    )

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        # Looked up, because what is stored of them is taken: not every iteration has been run.
        self.deps = ("seeds", "instructions")

    @property
    def count(self) -> int:
        return self.experiment.dataset.collect

    @cached_property
    def sources(self) -> list[StoredStage]:
        earlier = earlier_instructions(self.run, finished_iterations(self.run))
        return [self.run.read("seeds"), *earlier]


class MoreResponses(InitialResponses):
    """The last Generator's answers to these."""

    name = "more_responses"
    description = (
        "The last Generator's answers to `more_instructions`, filtered and selected like initial "
        "responses."
    )
    per = "experiment"
    job = "dataset"
    inputs = ("more_instructions",)
    deps = ("generator_lora",)
    weights = None
    role = None
    code_version = "1"

    @cached_property
    def writer(self) -> Adapter:
        return last_generator(self.run)


def finished_iterations(run: StageRun) -> list[int]:
    """The iterations that have left responses behind, of every stage that makes some.

    Raises:
        UserError: there is none, or what is stored of one is damaged.
    """
    experiment, stages = run.experiment, run.stages
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


def last_generator(run: StageRun) -> Adapter:
    """The Generator of the last iteration that has trained one, verified.

    Raises:
        UserError: there is none, or it is damaged.
    """
    experiment, adapters = run.experiment, run.adapters
    for iteration in range(experiment.iterations, 0, -1):
        key = StageKey(experiment.name, "generator_lora", iteration)
        if adapters.has(key):
            return adapters.read(key).adapter.verified()
    raise UserError(
        f"dataset.collect: {experiment.name} has no trained Generator yet that could answer more "
        "instructions: run an iteration first"
    )
