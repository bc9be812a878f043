"""Opening Dagster's web UI with the lineage view beside it, and saying where to begin."""

import os
import runpy
import socket
import sys
import threading
import time
import warnings
from pathlib import Path

from rich.console import Console

from sl_dagster.commands.project import history
from sl_dagster.commands.terminal import as_text
from sl_dagster.commands.validation import NOT_BY_ITS_NAME
from sl_dagster.errors import UserError
from sl_dagster.experiment import ExperimentFiles, load_experiments
from sl_dagster.jobs.killed_runs import note_killed_runs
from sl_dagster.jobs.run_origin import CODE_LOCATION
from sl_dagster.jobs.staleness_notes import noted_as_stale
from sl_dagster.lineage.server import is_unknown_host, serve_beside
from sl_dagster.paths import (
    data_dir,
    ensure_dagster_home,
    experiments_dir,
    lineage_address,
    lineage_port,
    make_folders_absolute,
)
from sl_dagster.resources.local import open_local
from sl_dagster.resources.storage.stage_store import StageStore

_LOCATION = f"locations/{CODE_LOCATION}/asset-groups"
_SECONDS_BETWEEN_LOOKS = 0.5
_LOG = "web_ui.log"  # in the folder of Dagster's history
_LAST_LINES = 20  # of it, where Dagster has failed


def open_web_ui(host: str, port: int) -> None:
    """Show the web UI until the process is interrupted; its greeting comes when the pages can.

    Args:
        host: the address to listen on.
        port: likewise.

    Raises:
        UserError: the port is taken, or there is no experiment file.
    """
    files = load_experiments(experiments_dir())
    _check_free(host, port)
    home = ensure_dagster_home()
    address = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"
    os.environ.setdefault("SL_DAGSTER_UI", address)
    with history() as instance:
        note_killed_runs(instance, data_dir())
    lines = greeting(files, address, _lineage(host), StageStore(data_dir=str(data_dir())))
    log = home / _LOG
    terminal = _apart_from_dagster(log)
    terminal.print(
        f"Dagster is starting. Its history is in {home}, what it says in {log}.",
        soft_wrap=True,
        markup=False,
    )
    threading.Thread(target=_greet, args=(terminal, address, lines), daemon=True).start()
    make_folders_absolute()
    os.chdir(home)  # where its settings are, so that Dagster looks for no others
    sys.argv = ["dagster", "dev", "-m", CODE_LOCATION, "-h", host, "-p", str(port)]
    sys.argv += ["--log-level", "warning"]
    warnings.filterwarnings("ignore", message=".*Use 'dg dev' instead")
    # In this process, in which the lineage view lives: it ends with Dagster, however that ends.
    try:
        runpy.run_module("dagster", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code:
            said = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
            terminal.print("\n".join(said), soft_wrap=True, markup=False)
        raise


def _apart_from_dagster(log: Path) -> Console:
    """The terminal, to which from now on only this console writes; all others write to a log.

    Every run says a hundred lines and more, which would scroll the greeting away.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    mine = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    with log.open("wb") as theirs:
        for stream in (1, 2):
            os.dup2(theirs.fileno(), stream)
    return Console(file=mine, highlight=False, width=None if mine.isatty() else 120)


def greeting(files: ExperimentFiles, address: str, lineage: str, stages: StageStore) -> list[str]:
    """What is said when the web UI is there, in rich's markup.

    Args:
        files: the experiments, those that cannot be loaded among them.
        address: of the web UI.
        lineage: of the lineage view, or why there is none.
        stages: what is stored tells which experiment is worth looking at first.
    """
    lines = [f"Web UI   {address}", f"Lineage  {as_text(lineage)}"]
    if files.experiments:
        stored = {key.experiment for key in stages.complete()}
        names = [experiment.name for experiment in files.experiments]
        first = next((name for name in names if name in stored), names[0])
        lines.append(
            f"Begin at {address}/{_LOCATION}/{first} (the graph of {first}; one of {len(names)})"
        )
    for problem in files.broken.values():
        lines.append(f"[red]✗[/] {as_text(problem)}")
    if files.broken:
        lines.append(f"  (also at {address}/{_LOCATION}/broken_experiments)")
    for other in files.others:
        lines.append(f"[yellow]-[/] {as_text(str(other))}: {NOT_BY_ITS_NAME}")
    return [*lines, "Stop with Ctrl-C."]


def _check_free(host: str, port: int) -> None:
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        if is_unknown_host(error):
            raise UserError(f"--host {host}: there is no such address: choose another") from error
        raise UserError(
            f"the web UI cannot listen on {host}:{port} ({error.strerror}): is it open already? "
            "Otherwise choose another --port"
        ) from error


def _lineage(host: str) -> str:
    """Starts the lineage view; returns its address, or why it could not be started."""
    try:
        serve_beside(data_dir(), host, lineage_port(), noted_as_stale)
    except UserError as error:
        return f"not shown: {error}"
    return lineage_address()


def _greet(terminal: Console, address: str, lines: list[str]) -> None:
    while True:
        try:
            with open_local(f"{address}/server_info", timeout=5):
                break
        except OSError:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    for line in lines:
        terminal.print(line, soft_wrap=True)
