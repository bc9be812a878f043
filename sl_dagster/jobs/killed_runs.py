"""Runs whose process was killed, and that nobody has noted as failed.

Dagster's code server watches over the runs that it has started, as long as it lives itself. A run
of the command line, and one whose code server died with it, would count as running for ever, and
keep all others in the queue.
"""

import time
from pathlib import Path

import dagster as dg
import psutil
from dagster._core.storage.dagster_run import RunRecord

from sl_dagster.resources.storage.run_lock import holder_lives

PROCESS = "sl_dagster/process"  # the tag of runs of the command line
CONTINUES = "launched again, it goes on from there"
# A run claims its iteration soon after its start. Until then, its process may be on another host.
_SECONDS_TO_CLAIM = 60


def note_killed_runs(instance: dg.DagsterInstance, data_dir: Path) -> list[str]:
    """Note of runs whose process was killed that they have failed.

    Args:
        instance: the history.
        data_dir: where the runs work.

    Returns:
        The ids of these runs.
    """
    killed = []
    running = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    for record in instance.get_run_records(running):
        process = _process(instance, record.dagster_run)
        if process and not _lives(record, process, data_dir):
            said = f"its process {process} was killed; what it finished is kept: {CONTINUES}"
            instance.report_run_failed(record.dagster_run, said)
            killed.append(record.dagster_run.run_id)
    return killed


def _process(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int | None:
    """The process of a run of the command line or of a code server.

    None if it has another launcher: those that start containers watch over them.
    """
    if process := run.tags.get(PROCESS):
        return int(process)
    if isinstance(instance.run_launcher, dg.DefaultRunLauncher):
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
            event = entry.dagster_event
            if event and "pid" in event.engine_event_data.metadata:
                return int(str(event.engine_event_data.metadata["pid"].value))
    return None


def _lives(record: RunRecord, process: int, data_dir: Path) -> bool:
    lives = holder_lives(data_dir, record.dagster_run.run_id)
    if lives is not None:
        return lives
    young = time.time() - (record.start_time or 0) < _SECONDS_TO_CLAIM
    return young or psutil.pid_exists(process)
