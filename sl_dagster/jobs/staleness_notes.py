"""Staleness where people look: on every asset's check ``up_to_date``, and counted in one place.

A check is evaluated when its asset is made, and holds then. What it was made from may change later,
so a sensor looks again. That needs no run: it notes what it finds in the history.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.events import DagsterEvent

from sl_dagster.assets import assets_of
from sl_dagster.assets.stage.asset import UP_TO_DATE
from sl_dagster.experiment import Experiment
from sl_dagster.jobs.asset_jobs import job_name
from sl_dagster.jobs.history import something_runs
from sl_dagster.jobs.staleness import Finding, Staleness
from sl_dagster.resources.storage.io_managers import shown_to_the_user

_COUNT = "all_up_to_date"
_COUNTED_ON = "length_growth"  # the asset that shows the whole experiment
_NAMED = 8  # more would fill the page


def all_up_to_date(
    experiment: Experiment, definitions: Callable[[], dg.Definitions]
) -> dg.AssetChecksDefinition:
    """The check that counts what is out of date in all of an experiment.

    Args:
        experiment: whose assets.
        definitions: gives those that this check is one of.
    """

    @dg.asset_check(
        asset=dg.AssetKey([experiment.name, _COUNTED_ON]),
        name=_COUNT,
        # In the middle of an iteration much is out of date that is about to be made.
        additional_deps=[
            dg.AssetKey([experiment.name, asset.name])
            for asset in assets_of(experiment)
            if asset.job == "iteration" and asset.name != _COUNTED_ON
        ],
        description="Nothing that has been made of the experiment is out of date; otherwise, how "
        "much is, and what.",
    )
    def counted(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        with shown_to_the_user():
            found = Staleness(context.instance, definitions(), experiment.name).everything()
        why = _count(experiment.name, found)
        return dg.AssetCheckResult(
            passed=not why, severity=dg.AssetCheckSeverity.WARN, description=why or None
        )

    return counted


def staleness_sensor(
    experiment: Experiment, definitions: Callable[[], dg.Definitions]
) -> dg.SensorDefinition:
    """The sensor that evaluates these checks again, switched on by default: it runs nothing.

    Args: as of ``all_up_to_date``.
    """
    loaded = uuid.uuid4().hex  # other code may make other verdicts of the same history

    @dg.sensor(
        name=f"{experiment.name}_staleness",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            f"Evaluates the check `{UP_TO_DATE}` of every asset again when something has been made "
            "and nothing runs, so that what is out of date shows it. It starts no runs."
        ),
    )
    def staleness(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        if something_runs(context.instance):
            return dg.SkipReason("waits until nothing runs")
        last = f"{context.instance.event_log_storage.get_maximum_record_id()} {loaded}"
        if context.cursor == last:
            return dg.SkipReason("nothing has happened since")
        stale = note_staleness(context.instance, definitions(), experiment.name)
        context.update_cursor(last)
        return dg.SkipReason(f"{stale} results are out of date")

    return staleness


def note_staleness(
    instance: dg.DagsterInstance, definitions: dg.Definitions, experiment: str
) -> int:
    """Evaluate the checks ``up_to_date`` of all that has been made, as far as they have changed.

    Returns:
        How many results are out of date.
    """
    found = Staleness(instance, definitions, experiment).everything()
    found = [one for one in found if one.made.run_id]  # what no run has made has no place for it
    by_partition: dict[str | None, list[Finding]] = defaultdict(list)
    for one in found:
        by_partition[one.partition].append(one)
    for partition, verdicts in by_partition.items():
        keys = [dg.AssetCheckKey(one.key, UP_TO_DATE) for one in verdicts]
        shown = _shown(instance, keys, partition)
        for key, one in zip(keys, verdicts, strict=True):
            _note(instance, key, shown.get(key), one.made, one.partition, one.why)
    counted = [one for one in found if one.name == _COUNTED_ON]
    key = _count_key(experiment)
    for one in counted:
        shown = _shown(instance, [key], None)
        _note(instance, key, shown.get(key), one.made, None, _count(experiment, found))
    return sum(bool(one.why) for one in found)


def noted_as_stale(experiment: str) -> str:
    """What the project's history says of an experiment's staleness; empty if it says nothing."""
    key = _count_key(experiment)
    try:
        with dg.DagsterInstance.get() as instance:
            evaluation = _shown(instance, [key], None).get(key)
    except Exception as error:  # of any storage; the pages that ask do not live on it
        return f"What is out of date is not known: Dagster's history cannot be read ({error})"
    return "" if evaluation is None or evaluation.passed else evaluation.description or ""


def _count_key(experiment: str) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(dg.AssetKey([experiment, _COUNTED_ON]), _COUNT)


def _count(experiment: str, found: list[Finding]) -> str:
    """How much is out of date, and what to do; empty if nothing is."""
    stale = [one for one in found if one.why]
    if not stale:
        return ""
    named = [str(one) for one in stale[:_NAMED]]
    if len(stale) > _NAMED:
        named.append(f"and {len(stale) - _NAMED} more")
    final, scores = job_name(experiment, "dataset"), job_name(experiment, "evaluate")
    return (
        f"{len(stale)} of {len(found)} results are out of date. {experiment}_refresh makes those "
        f"of iterations anew, {final} and {scores} the others. {' | '.join(named)}"
    )


def _shown(
    instance: dg.DagsterInstance, keys: list[dg.AssetCheckKey], partition: str | None
) -> dict[dg.AssetCheckKey, dg.AssetCheckEvaluation]:
    """The last evaluations of checks, as far as there are any."""
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        keys, PartitionKeyFilter(key=partition)
    )
    evaluations = {
        key: record.event.asset_check_evaluation for key, record in records.items() if record.event
    }
    return {key: evaluation for key, evaluation in evaluations.items() if evaluation}


def _note(
    instance: dg.DagsterInstance,
    key: dg.AssetCheckKey,
    shown: dg.AssetCheckEvaluation | None,
    made: dg.EventLogRecord,
    partition: str | None,
    why: str,
) -> None:
    """Evaluate a check, unless that is what the web UI shows already."""
    of = shown and shown.target_materialization_data
    if shown and of and of.storage_id == made.storage_id and (shown.description or "") == why:
        return
    # As an event of the run that made the result: Dagster keeps one event without a run for each
    # partition of a check, and takes no second one.
    instance.report_dagster_event(
        DagsterEvent(
            event_type_value=dg.DagsterEventType.ASSET_CHECK_EVALUATION.value,
            job_name=made.event_log_entry.job_name or "",
            event_specific_data=dg.AssetCheckEvaluation(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=not why,
                severity=dg.AssetCheckSeverity.WARN,
                description=why or None,
                partition=partition,
                target_materialization_data=AssetCheckEvaluationTargetMaterializationData(
                    storage_id=made.storage_id, run_id=made.run_id, timestamp=made.timestamp
                ),
            ),
        ),
        run_id=made.run_id,
    )
