"""The job that makes anew what is out of date, from the web UI: `sl-dagster run --stale`."""

from collections.abc import Callable

import dagster as dg

from sl_dagster.experiment import Experiment
from sl_dagster.jobs.launch import Launch, run_iterations
from sl_dagster.resources.storage.io_managers import shown_to_the_user


def refresh_job(
    experiment: Experiment, definitions: Callable[[], dg.Definitions]
) -> dg.JobDefinition:
    """The job; for each iteration it begins a run of its own, one after another.

    Args:
        experiment: whose assets.
        definitions: gives those that this job is one of.
    """

    @dg.op(
        name=f"{experiment.name}_make_anew",
        description="Runs what is out of date, iteration by iteration.",
        out=dg.Out(dg.Nothing),
    )
    def make_anew(context: dg.OpExecutionContext) -> None:
        with shown_to_the_user():
            run_iterations(Launch(experiment, stale=True), definitions(), context.instance)

    @dg.job(
        name=f"{experiment.name}_refresh",
        description=(
            "Makes anew everything that is out of date, in all iterations that have been made: "
            "what was made from something that has changed since, and what comes after that. A "
            "stage that was made with other settings stays as it is."
        ),
        executor_def=dg.in_process_executor,
    )
    def refresh() -> None:
        make_anew()

    return refresh
