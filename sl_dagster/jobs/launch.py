"""Running jobs in this process, into a history: iterations, the final data set, measurements.

Whoever launches hands over the definitions that know the jobs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import yaml
from rich.console import Console
from rich.markup import escape

from sl_dagster.assets.measures.models import models_made
from sl_dagster.assets.stage.asset import Job
from sl_dagster.assets.stage.config import as_shown
from sl_dagster.errors import UserError
from sl_dagster.experiment import ALIGNED_MODEL, Experiment
from sl_dagster.experiment.base import shortened
from sl_dagster.jobs.asset_jobs import job_name
from sl_dagster.jobs.killed_runs import CONTINUES, note_killed_runs, tags_of_this_process
from sl_dagster.jobs.run_origin import runs_of_the_location
from sl_dagster.jobs.staleness import Staleness
from sl_dagster.jobs.still_stored import still_stored
from sl_dagster.method.yaml_text import parse_yaml
from sl_dagster.paths import data_dir
from sl_dagster.resources.storage.adapter_store import AdapterStore

_console = Console(highlight=False)


@dataclass(frozen=True)
class Launch:
    """What to run.

    Attributes:
        experiment: one of those in the definitions.
        first: the first iteration.
        last: the last one; None for the experiment's last.
        only: names of the assets to make; empty for all.
        force: make anew what is up to date, too.
        stale: make only what is out of date.
        settings: settings of the experiment file to change for this launch, such as
            ``extension.sampling.temperature=1.0``, with values in YAML.
    """

    experiment: Experiment
    first: int = 1
    last: int | None = None
    only: tuple[str, ...] = ()
    force: bool = False
    stale: bool = False
    settings: tuple[str, ...] = ()


def run_iterations(
    launch: Launch,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    say: Callable[[str], None] = lambda line: _console.print(f"  {escape(line)}", soft_wrap=True),
    between: Callable[[], None] = lambda: None,
) -> None:
    """Run iterations one after another.

    Args:
        launch: which ones.
        definitions: they know the experiment's jobs.
        instance: the history.
        say: takes a line on what is out of date, and why.
        between: called when an iteration has been run and another one follows.

    Raises:
        UserError: an iteration, a stage or a setting does not exist, or a stage failed; what comes
            after it is not begun.
    """
    name = launch.experiment.name
    last = _checked_last(launch)
    job = definitions.resolve_job_def(job_name(name, "iteration"))
    names = _selected(launch, job)
    config = _config(launch, job, names)
    note_killed_runs(instance, data_dir())
    stored = still_stored(launch.experiment, data_dir())
    wanted = names
    for iteration in range(launch.first, last + 1):
        _console.rule(f"{name}, iteration {iteration} of {last}")
        if launch.stale:
            staleness = Staleness(instance, definitions, name, stored)
            found = [one for one in staleness.verdicts(str(iteration)) if one.why]
            found = [one for one in found if one.name in names]
            for one in found:
                say(f"makes {one}")
            wanted = [one.name for one in found]
            if not wanted:
                say(f"iteration {iteration}: nothing is out of date")
                continue
        _run(instance, name, job, str(iteration), wanted, config)
        if iteration < last:
            between()


def run_evaluation(
    launch: Launch,
    models: Sequence[str],
    adapters: AdapterStore,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
) -> None:
    """Measure models with the experiment's benchmarks and its judge, one after another.

    Args:
        launch: of which experiment; its iterations do not matter.
        models: their names; none for all that have been made.
        adapters: tells which have been made.
        definitions, instance: as in ``run_iterations``.

    Raises:
        UserError: the experiment has neither, a model does not exist or has not been made
            yet, or measuring it failed.
    """
    experiment = launch.experiment
    if not experiment.benchmarks and not experiment.judge:
        raise UserError(
            f"{experiment.name} names no `benchmarks` and no `judge` to measure models with"
        )
    unknown = [model for model in models if model not in experiment.models]
    if unknown:
        raise UserError(f"--model {unknown[0]}: the models are {', '.join(experiment.models)}")
    made = models_made(experiment, adapters)
    if not experiment.benchmarks:  # a judge has nothing of the aligned model to read
        made = [model for model in made if model != ALIGNED_MODEL]
    _run_whole_job(launch, "evaluate", models or made, definitions, instance)


def run_dataset(launch: Launch, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    """Make the final data set and the aligned model.

    Args: as of ``run_iterations``; the launch's iterations do not matter.

    Raises:
        UserError: no iteration is finished yet, or a stage failed.
    """
    _run_whole_job(launch, "dataset", [None], definitions, instance)


def _run_whole_job(
    launch: Launch,
    job_kind: Job,
    partitions: Sequence[str | None],
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
) -> None:
    name = launch.experiment.name
    job = definitions.resolve_job_def(job_name(name, job_kind))
    names = _selected(launch, job)
    config = _config(launch, job, names)
    for partition in partitions:
        if partition:
            _console.rule(f"{name}, model {partition}")
        _run(instance, name, job, partition, names, config)


def _checked_last(launch: Launch) -> int:
    name, there_are = launch.experiment.name, launch.experiment.iterations
    last = there_are if launch.last is None else launch.last
    if last > there_are:
        raise UserError(
            f"{name} has {there_are} iterations; raise `iterations` in {name}.yaml to run {last}"
        )
    if launch.first > last:
        raise UserError(f"--from {launch.first} is after the last iteration to run, {last}")
    return last


def _selected(launch: Launch, job: dg.JobDefinition) -> list[str]:
    """The names of the assets that may be made."""
    known = {key.path[-1] for key in job.asset_layer.asset_graph.executable_asset_keys}
    for name in launch.only:
        if name not in known:
            raise UserError(f"--only {name}: the stages are {', '.join(sorted(known))}")
    return list(launch.only) or sorted(known)


def _run(
    instance: dg.DagsterInstance,
    experiment: str,
    job: dg.JobDefinition,
    partition: str | None,
    names: list[str],
    config: dict[str, Any],
) -> None:
    with runs_of_the_location(instance, job.name):
        result = job.execute_in_process(
            instance=instance,
            partition_key=partition,
            run_config={
                "loggers": {"terminal": {"config": {}}},
                "ops": {
                    f"{experiment}__{name}": {"config": config[name]}
                    for name in names
                    if config.get(name)
                },
            },
            asset_selection=[dg.AssetKey([experiment, name]) for name in names],
            tags=tags_of_this_process(),
            raise_on_error=False,
        )
    check_success(result, f"\n(run {result.run_id}; see it in the web UI)")


def _config(launch: Launch, job: dg.JobDefinition, names: list[str]) -> dict[str, dict[str, Any]]:
    """What each asset is launched with, by its name, as its config form takes it."""
    forms = {name: form for name, form in config_forms(job).items() if name in names}
    config: dict[str, dict[str, Any]] = {
        name: {"force": True} if launch.force else {} for name in forms
    }
    for setting in launch.settings:
        path, value = _parsed(setting, launch.experiment)
        readers = [name for name, form in forms.items() if path in _settings(form)]
        if not readers:
            known = sorted(
                {".".join(known) for form in forms.values() for known in _settings(form)}
            )
            raise UserError(
                f"--set {'.'.join(path)}: can be changed in the experiment file only, if there is "
                f"such a setting; for one launch these can: {', '.join(known)}"
            )
        for name in readers:
            _put(config[name], path, as_shown(value))
    return config


def config_forms(job: dg.JobDefinition) -> dict[str, Any]:
    """The config forms of a job's assets, by the assets' names, as Dagster's config types."""
    forms: dict[str, Any] = {}
    for node in job.graph.node_defs:
        form: Any = node.config_schema and node.config_schema.config_type
        if hasattr(form, "fields"):
            forms[node.name.rpartition("__")[2]] = form
    return forms


def _parsed(setting: str, experiment: Experiment) -> tuple[tuple[str, ...], Any]:
    """A setting's path and its value, checked like the experiment file."""
    key, equals, text = setting.partition("=")
    path = tuple(key.strip().split("."))
    if not equals:
        raise UserError(f"--set {setting}: expected KEY=VALUE, such as instructions.count=10")
    try:
        changes: dict[str, Any] = {}
        _put(changes, path, parse_yaml(text))
        value: Any = experiment.changed(changes).model_dump(mode="json")
    except (UserError, yaml.YAMLError) as error:
        raise UserError(f"--set {shortened(setting)}: {error}") from None
    for part in path:
        value = value[part]
    return path, value


def _settings(form: Any) -> list[tuple[str, ...]]:
    """The paths of all settings in a config form but ``force``."""
    found: list[tuple[str, ...]] = []
    for name, field in form.fields.items():
        if hasattr(field.config_type, "fields"):
            found += [(name, *rest) for rest in _settings(field.config_type)]
        elif name != "force":
            found.append((name,))
    return found


def _put(group: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *sections, name = path
    for section in sections:
        group = group.setdefault(section, {})
    group[name] = value


def check_success(result: dg.ExecuteInProcessResult, where_to_look: str = "") -> None:
    """See that a run has come to its end.

    Args:
        result: of the run.
        where_to_look: what is added to the message of a failure.

    Raises:
        UserError: a step failed.
        KeyboardInterrupt: somebody has ended the run.
    """
    if any(event.event_type_value == "PIPELINE_CANCELED" for event in result.all_events) or any(
        event.step_failure_data.error_source.name == "INTERRUPT"
        for event in result.all_events
        if event.is_step_failure
    ):
        _console.print(f"interrupted: what is finished is kept; {CONTINUES}")
        raise KeyboardInterrupt
    if not result.success:
        raise UserError(f"{failure_of(result)}{where_to_look}")


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
