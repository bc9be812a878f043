"""Running iterations from a program: what ``sl-dagster run`` does."""

from dagster import DagsterInstance, Failure
from rich.console import Console

from sl_dagster.errors import UserError
from sl_dagster.experiment import load_experiment
from sl_dagster.jobs import iteration_job_name
from sl_dagster.settings import ensure_dagster_home, experiments_dir

_console = Console(highlight=False)


def run_iterations(experiment: str, first: int, last: int | None) -> None:
    """Run iterations one after another, in this process, into the project's history.

    Args:
        experiment: name of an experiment file.
        first: the first iteration.
        last: the last one; None for the experiment's last.

    Raises:
        UserError: an iteration does not exist, or a stage failed; later ones are not begun.
    """
    settings = load_experiment(experiments_dir() / f"{experiment}.yaml")
    last = settings.iterations if last is None else last
    if last > settings.iterations:
        raise UserError(
            f"{experiment} has {settings.iterations} iterations; raise `iterations` in "
            f"{experiments_dir() / experiment}.yaml to run {last}"
        )
    if first > last:
        raise UserError(f"--from {first} is after the last iteration to run, {last}")
    ensure_dagster_home()
    with DagsterInstance.get() as instance:
        for iteration in range(first, last + 1):
            _console.rule(f"{experiment}, iteration {iteration} of {last}")
            _run_iteration(instance, experiment, iteration)


def _run_iteration(instance: DagsterInstance, experiment: str, iteration: int) -> None:
    from sl_dagster.definitions import defs

    job = defs().resolve_job_def(iteration_job_name(experiment))
    result = job.execute_in_process(
        instance=instance,
        partition_key=str(iteration),
        run_config={"loggers": {"terminal": {"config": {}}}},
        raise_on_error=False,
    )
    if not result.success:
        raise UserError(_why(result) + f"\n(run {result.run_id}; see it in the web UI)")


def _why(result) -> str:
    """The message of the first step that failed."""
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data:
                return data.user_failure_data.description or "a stage failed"
            error = data.error.cause or data.error
            return f"{event.step_key} failed: {error.message.strip()}"
    for event in result.all_events:
        if event.is_run_failure:
            return event.message or "the run failed"
    return f"the run failed ({Failure.__name__} without a message)"
