"""Running iterations from a program: what ``sl-dagster run`` does."""

from dataclasses import dataclass
from typing import Any

import dagster as dg
from rich.console import Console

from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment, load_experiment
from sl_dagster.jobs import iteration_job_name
from sl_dagster.settings import ensure_dagster_home, experiments_dir

_console = Console(highlight=False)


@dataclass(frozen=True)
class Launch:
    """What to run.

    Attributes:
        experiment: name of an experiment file.
        first: the first iteration.
        last: the last one; None for the experiment's last.
        only: names of the assets to make; empty for all.
        force: make anew what is up to date, too.
    """

    experiment: str
    first: int = 1
    last: int | None = None
    only: tuple[str, ...] = ()
    force: bool = False


def run_iterations(launch: Launch) -> None:
    """Run iterations one after another, in this process, into the project's history.

    Raises:
        UserError: an iteration or a stage does not exist, or a stage failed; what comes after it
            is not begun.
    """
    settings = load_experiment(experiments_dir() / f"{launch.experiment}.yaml")
    last = _checked_last(launch, settings)
    ensure_dagster_home()
    with dg.DagsterInstance.get() as instance:
        for iteration in range(launch.first, last + 1):
            _console.rule(f"{launch.experiment}, iteration {iteration} of {last}")
            _run_iteration(instance, launch, iteration)


def _checked_last(launch: Launch, settings: Experiment) -> int:
    last = settings.iterations if launch.last is None else launch.last
    if last > settings.iterations:
        raise UserError(
            f"{launch.experiment} has {settings.iterations} iterations; raise `iterations` in "
            f"{experiments_dir() / launch.experiment}.yaml to run {last}"
        )
    if launch.first > last:
        raise UserError(f"--from {launch.first} is after the last iteration to run, {last}")
    return last


def _run_iteration(instance: dg.DagsterInstance, launch: Launch, iteration: int) -> None:
    from sl_dagster.definitions import defs

    job = defs().resolve_job_def(iteration_job_name(launch.experiment))
    selection = [dg.AssetKey([launch.experiment, name]) for name in launch.only]
    known = {key.path[-1] for key in job.asset_layer.asset_graph.executable_asset_keys}
    for name in launch.only:
        if name not in known:
            raise UserError(f"--only {name}: the stages are {', '.join(sorted(known))}")
    result = job.execute_in_process(
        instance=instance,
        partition_key=str(iteration),
        run_config=_run_config(job, launch),
        asset_selection=selection or None,
        raise_on_error=False,
    )
    if not result.success:
        raise UserError(f"{failure_of(result)}\n(run {result.run_id}; see it in the web UI)")


def _run_config(job: dg.JobDefinition, launch: Launch) -> dict[str, Any]:
    config: dict[str, Any] = {"loggers": {"terminal": {"config": {}}}}
    if launch.force:
        config["ops"] = {
            node.name: {"config": {"force": True}}
            for node in job.graph.node_defs
            if node.has_config_field
            and (not launch.only or node.name.rpartition("__")[2] in launch.only)
        }
    return config


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """The message of the first step that failed, or of the check that let it fail."""
    said = {}
    for event in result.all_events:
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            if not check.passed:
                said[event.step_key] = f"check {check.check_name} failed: {check.description}"
        if event.is_step_failure and event.step_key in said:
            return said[event.step_key]
        if event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data and data.user_failure_data.description:
                return data.user_failure_data.description
            error = data.error and (data.error.cause or data.error)
            return f"{event.step_key} failed: {error.message.strip() if error else 'no message'}"
    failures = [event.message for event in result.all_events if event.is_run_failure]
    return next((message for message in failures if message), "the run failed")
