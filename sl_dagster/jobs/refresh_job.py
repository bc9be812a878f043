"""The job that makes anew what is out of date, from the web UI: `sl-dagster run --stale`."""

from collections.abc import Callable, Iterator

import dagster as dg
from pydantic import Field

from sl_dagster.experiment import Experiment
from sl_dagster.jobs.asset_jobs import job_name
from sl_dagster.jobs.launch import Launch, run_iterations
from sl_dagster.jobs.staleness import Staleness
from sl_dagster.jobs.still_stored import still_stored
from sl_dagster.paths import data_dir
from sl_dagster.resources.storage.io_managers import shown_to_the_user


class RefreshConfig(dg.Config):
    """What a refresh does."""

    dry_run: bool = Field(
        default=False, description="Only say what is out of date, and why; make nothing."
    )


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
    def make_anew(context: dg.OpExecutionContext, config: RefreshConfig) -> None:
        say = context.log.info
        with shown_to_the_user():
            if config.dry_run:
                for line in _plan(experiment, definitions(), context.instance):
                    say(line)
            else:
                launch = Launch(experiment, stale=True)
                run_iterations(launch, definitions(), context.instance, say)

    @dg.job(
        name=f"{experiment.name}_refresh",
        description=(
            "Makes anew everything that is out of date, in all iterations that have been made: "
            "what was made from something that has changed since, and what comes after that. A "
            "stage that was made with other settings stays as it is. With `dry_run: true` it only "
            "says what it would make."
        ),
        executor_def=dg.in_process_executor,
    )
    def refresh() -> None:
        make_anew()

    return refresh


def _plan(
    experiment: Experiment, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> Iterator[str]:
    """What a refresh would make, as far as can be known, and what it leaves to other jobs."""
    loop = definitions.resolve_job_def(job_name(experiment.name, "iteration")).asset_layer
    stored = still_stored(experiment, data_dir())
    staleness = Staleness(instance, definitions, experiment.name, stored)
    found = [one for one in staleness.everything() if one.why]
    for one in found:
        if one.key in loop.asset_graph.executable_asset_keys:
            yield f"would make {one}"
        else:
            yield f"leaves to the other jobs {one}"
    for one in found:
        if one.name.endswith("_lora"):
            yield (
                f"after iteration {one.partition}, what later iterations make from its {one.name}, "
                "if that becomes another one"
            )
    if not found:
        yield "nothing is out of date"
