"""Runs whose process was killed, and that nobody has noted as failed.

Dagster's code server watches over the runs that it has started, as long as it lives itself. A run
of the command line, and one whose code server died with it, would count as running for ever, and
keep all others in the queue.
"""

import os
import platform
from collections.abc import Collection
from pathlib import Path

import dagster as dg
import psutil

from sl_dagster.resources.storage.run_lock import holder_lives

CONTINUES = "launched again, it goes on from there"
_PROCESS, _HOST = "sl_dagster/process", "sl_dagster/host"


def tags_of_this_process() -> dict[str, str]:
    """The tags of a run of the command line, by which it is known whether it lives."""
    return {_PROCESS: str(os.getpid()), _HOST: platform.node()}


def note_killed_runs(
    instance: dg.DagsterInstance, data_dir: Path, doubted: Collection[str] = ()
) -> list[str]:
    """Note of runs whose process was killed that they have failed.

    A run claims its iteration soon after its start, and then its claim says where it lives. Before,
    a run of a code server may be on another host that shares the history. So one that has claimed
    nothing, and has no process here, is noted only if that was so a while ago, too.

    Args:
        instance: the history.
        data_dir: where the runs work.
        doubted: what this has returned a minute ago or more.

    Returns:
        The ids of runs that seem to be dead and have not been noted.
    """
    doubtful = []
    running = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    for run in instance.get_runs(running):
        process = _process(instance, run)
        lives = holder_lives(data_dir, run.run_id)
        is_sure = lives is not None or run.tags.get(_HOST) == platform.node()
        if lives or process is None or (lives is None and psutil.pid_exists(process)):
            continue
        if is_sure or run.run_id in doubted:
            said = f"its process {process} was killed; what it finished is kept: {CONTINUES}"
            instance.report_run_failed(run, said)
        else:
            doubtful.append(run.run_id)
    return doubtful


def _process(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int | None:
    """The process of a run of the command line or of a code server.

    None if it has another launcher: those that start containers watch over them.
    """
    if process := run.tags.get(_PROCESS):
        return int(process)
    if isinstance(instance.run_launcher, dg.DefaultRunLauncher):
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
            event = entry.dagster_event
            if event and "pid" in event.engine_event_data.metadata:
                return int(str(event.engine_event_data.metadata["pid"].value))
    return None
