"""Running an experiment's jobs in this process, into the project's history."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import dagster as dg

from sl_dagster.commands.project import experiment_named, stored_adapters
from sl_dagster.definitions import build_definitions
from sl_dagster.experiment import Experiment
from sl_dagster.jobs.launch import Launch, run_dataset, run_evaluation, run_iterations
from sl_dagster.paths import data_dir, ensure_dagster_home
from sl_dagster.resources.named import resources_in


def run(
    experiment: str,
    first: int,
    last: int | None,
    only: Sequence[str],
    force: bool,
    stale: bool,
    settings: Sequence[str],
) -> None:
    """Run iterations; see ``Launch`` for the arguments and ``run_iterations`` for the errors."""
    launch = Launch(
        experiment_named(experiment), first, last, tuple(only), force, stale, tuple(settings)
    )
    with _history() as instance:
        run_iterations(launch, _definitions(launch.experiment), instance)


def make_dataset(experiment: str, force: bool) -> None:
    """Make the final data set and the aligned model; errors as of ``run_dataset``."""
    launch = Launch(experiment_named(experiment), force=force)
    with _history() as instance:
        run_dataset(launch, _definitions(launch.experiment), instance)


def evaluate(experiment: str, models: Sequence[str], force: bool) -> None:
    """Measure models, all that there are by default; errors as of ``run_evaluation``."""
    launch = Launch(experiment_named(experiment), force=force)
    with _history() as instance:
        definitions = _definitions(launch.experiment)
        run_evaluation(launch, models, stored_adapters(), definitions, instance)


def _definitions(experiment: Experiment) -> dg.Definitions:
    """Of this experiment alone: what is wrong with the file of another one is no concern."""
    return build_definitions([experiment], resources_in(data_dir()))


@contextmanager
def _history() -> Iterator[dg.DagsterInstance]:
    ensure_dagster_home()
    with dg.DagsterInstance.get() as instance:
        yield instance
