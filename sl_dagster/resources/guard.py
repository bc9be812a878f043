"""A process between a run and a program of its, so that the program cannot outlive the run.

``python -m sl_dagster.resources.guard COMMAND...`` starts the command and waits. When its
standard input closes, because the run closed it or because the run is dead, it ends the command
and everything that the command has started. It must be started in a session of its own.
After ``--temporary``, the command gets a folder of its own for temporary files, and what it leaves
there goes with it.
"""

import contextlib
import getpass
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

_SECONDS_TO_END = 15
_SECONDS_FOR_THE_REST = 5
_TEMPORARY = "--temporary"
_PREFIX = "sl-dagster-"
# Sockets are made in it, whose paths have at most 107 characters.
_LONGEST_PLACE = 107 - len("/sl-dagster-12345678/") - len("01234567-0123-0123-0123-0123456789ab")


def main() -> None:
    """Run the command of the command line until it ends or standard input closes."""
    command = sys.argv[1:]
    with contextlib.ExitStack() as stack:
        environment = None
        if command[0] == _TEMPORARY:
            environment = stack.enter_context(_temporary_files())
            del command[0]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)
        over = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: over.set())
        # A run that is interrupted from the keyboard decides itself when the server goes.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_wait_for_the_run_to_end, args=(over,), daemon=True).start()
        threading.Thread(target=_end, args=(process, over), daemon=True).start()
        code = process.wait()
        _end_the_rest()
    sys.exit(code if code >= 0 else 128 - code)


@contextlib.contextmanager
def _temporary_files() -> Iterator[dict[str, str]]:
    """An environment with a folder for temporary files, which is removed at the end."""
    usual = tempfile.gettempdir()
    # What torch has compiled is worth keeping.
    compiled = Path(usual) / f"torchinductor_{getpass.getuser()}"
    place = usual if len(usual) <= _LONGEST_PLACE else "/tmp"
    with tempfile.TemporaryDirectory("", _PREFIX, place, ignore_cleanup_errors=True) as folder:
        yield {"TORCHINDUCTOR_CACHE_DIR": str(compiled)} | os.environ | {"TMPDIR": folder}


def _wait_for_the_run_to_end(over: threading.Event) -> None:
    # Not through sys.stdin, whose lock this thread would still hold when the interpreter ends.
    while os.read(0, 1):
        pass
    over.set()


def _end(process: subprocess.Popen[bytes], over: threading.Event) -> None:
    over.wait()
    process.terminate()
    try:
        process.wait(timeout=_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()


def _end_the_rest() -> None:
    """The command has ended; what it started must not stay."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        for process in _the_rest():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(how)
        deadline = time.monotonic() + _SECONDS_FOR_THE_REST
        while _the_rest() and time.monotonic() < deadline:
            time.sleep(0.05)


def _the_rest() -> list[psutil.Process]:
    """All that live in this process's session, but for itself."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            mine = os.getsid(process.pid) == os.getsid(0) and process.pid != os.getpid()
            if mine and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


if __name__ == "__main__":
    main()
