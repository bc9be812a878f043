"""A process between a run and a program of its, so that the program cannot outlive the run.

``python -m sl_dagster.resources.guard COMMAND...`` starts the command and waits. When its
standard input closes, because the run closed it or because the run is dead, it ends the command
and everything that the command has started. It must be started in a session of its own.
After ``--temporary``, the command gets a folder of its own for temporary files, and what it leaves
there goes with it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import psutil

from sl_dagster.resources.temporary import temporary_files

_SECONDS_TO_END = 15
_SECONDS_FOR_THE_REST = 5
_TEMPORARY = "--temporary"
_RESOURCE_TRACKER = "multiprocessing.resource_tracker"


def main() -> None:
    """Run the command of the command line until it ends or standard input closes."""
    command = sys.argv[1:]
    with contextlib.ExitStack() as stack:
        environment = None
        if command[0] == _TEMPORARY:
            environment = os.environ | stack.enter_context(temporary_files())
            del command[0]
        over = threading.Event()
        # Before it starts, so that it hears SIGTERM where whoever started this process does not.
        signal.signal(signal.SIGTERM, lambda *_: over.set())
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)
        # A run that is interrupted from the keyboard decides itself when the server goes.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_wait_for_the_run_to_end, args=(over,), daemon=True).start()
        threading.Thread(target=_end, args=(process, over), daemon=True).start()
        code = process.wait()
        _end_the_rest()
    sys.exit(code if code >= 0 else 128 - code)


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
    # Python's resource tracker removes shared memory once all that had it are gone: it goes last.
    for how, last in ((signal.SIGTERM, True), (signal.SIGKILL, False), (signal.SIGKILL, True)):
        for process in _the_rest():
            with contextlib.suppress(psutil.NoSuchProcess):
                if last or _RESOURCE_TRACKER not in " ".join(process.cmdline()):
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
