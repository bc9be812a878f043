"""Whether anything runs: sensors wait until nothing does."""

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
