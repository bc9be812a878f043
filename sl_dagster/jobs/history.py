"""What sensors ask of Dagster's history."""

import dagster as dg

_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def something_runs(instance: dg.DagsterInstance) -> bool:
    """Whether a run of any job has been launched and has not ended."""
    return instance.get_runs_count(dg.RunsFilter(statuses=_UNDER_WAY)) > 0


def latest_materialization(
    instance: dg.DagsterInstance, experiment: str, asset: str, iteration: int
) -> dg.EventLogRecord | None:
    """The event that made an asset of an iteration last, if it has been made."""
    made = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey([experiment, asset]), asset_partitions=[str(iteration)]
    )
    return next(iter(instance.fetch_materializations(made, limit=1).records), None)
