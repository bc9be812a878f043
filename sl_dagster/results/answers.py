"""Which stored answers measure which model: those to held-out instructions, and to benchmarks."""

from collections.abc import Iterator

from sl_dagster.benchmarks import BENCHMARKS
from sl_dagster.experiment import BASE_MODEL, Experiment
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage

HELDOUT = "heldout"


def heldout_key(experiment: str, iteration: int) -> StageKey:
    """Where the answers to held-out instructions stand; iteration 0 is the base model."""
    stage = "heldout_responses" if iteration else "heldout_base"
    return StageKey(experiment, stage, iteration or None)


def model_of(key: StageKey) -> str:
    """The name of the model whose answers stand there (``base``, ``1``, ..., ``aligned``)."""
    return str(key.model or key.iteration or BASE_MODEL)


def stored_heldout(experiment: Experiment, stages: StageStore) -> Iterator[StoredStage]:
    """The answers to held-out instructions that are stored, the base model's first."""
    done = set(stages.complete(experiment.name))
    for iteration in range(experiment.iterations + 1):
        key = heldout_key(experiment.name, iteration)
        if key in done:
            yield stages.read(key)


def stored_scores(experiment: Experiment, stages: StageStore) -> Iterator[tuple[str, StoredStage]]:
    """The scores that are stored: each benchmark's name, with a stage for each model in turn."""
    done = set(stages.complete(experiment.name))
    for benchmark in experiment.benchmarks:
        for model in experiment.models:
            key = StageKey(experiment.name, BENCHMARKS[benchmark].asset, None, model)
            if key in done:
                yield benchmark, stages.read(key)


def stored_answers(experiment: Experiment, stages: StageStore) -> Iterator[tuple[str, StoredStage]]:
    """All of them, each with what is answered: ``HELDOUT``, or the name of a benchmark."""
    for stage in stored_heldout(experiment, stages):
        yield HELDOUT, stage
    yield from stored_scores(experiment, stages)
