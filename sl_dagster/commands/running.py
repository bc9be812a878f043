"""Running an experiment's jobs in this process, into the project's history."""

from collections.abc import Sequence
from functools import partial

import dagster as dg

from sl_dagster.commands import showing
from sl_dagster.commands.project import experiment_named, history, stored_adapters
from sl_dagster.commands.terminal import console
from sl_dagster.definitions import build_definitions
from sl_dagster.experiment import Experiment
from sl_dagster.jobs.launch import Launch, run_dataset, run_evaluation, run_iterations
from sl_dagster.jobs.preview.report import for_terminal
from sl_dagster.jobs.preview.run import run_preview
from sl_dagster.paths import data_dir
from sl_dagster.resources.named import resources_in


def run(
    experiments: Sequence[str],
    first: int,
    last: int | None,
    only: Sequence[str],
    force: bool,
    stale: bool,
    settings: Sequence[str],
) -> None:
    """Run iterations of experiments, and print the growth after each.

    Args: as of ``Launch``.

    Raises: as ``run_iterations``; all experiments are looked at before anything runs.
    """
    launches = [
        Launch(experiment, first, last, tuple(only), force, stale, tuple(settings))
        for experiment in map(experiment_named, experiments)
    ]
    with history() as instance:
        for launch in launches:
            growth = partial(showing.growth, launch.experiment.name)
            run_iterations(launch, _definitions(launch.experiment), instance, between=growth)
            growth()


def make_dataset(experiment: str, force: bool) -> None:
    """Make the final data set and the aligned model; errors as of ``run_dataset``."""
    launch = Launch(experiment_named(experiment), force=force)
    with history() as instance:
        run_dataset(launch, _definitions(launch.experiment), instance)


def evaluate(experiments: Sequence[str], models: Sequence[str], force: bool) -> None:
    """Measure models, by default all, and print the results; errors as of ``run_evaluation``."""
    launches = [Launch(experiment_named(name), force=force) for name in experiments]
    with history() as instance:
        for launch in launches:
            definitions, name = _definitions(launch.experiment), launch.experiment.name
            run_evaluation(launch, models, stored_adapters(), definitions, instance)
            if launch.experiment.benchmarks:
                showing.scores(name, "table")
            if launch.experiment.judge:
                showing.quality([name], "table")


def preview(name: str, records: int) -> None:
    """Run a few records through one iteration, and print them and what the full run costs.

    Raises:
        UserError: a stage failed.
    """
    experiment = experiment_named(name)
    console.print(for_terminal(experiment, run_preview(experiment, records, data_dir())))


def _definitions(experiment: Experiment) -> dg.Definitions:
    """Of this experiment alone: what is wrong with the file of another one is no concern."""
    return build_definitions([experiment], resources_in(data_dir()))
