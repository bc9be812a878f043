"""A process between a run and a program of its, so that the program cannot outlive the run.

``python -m sl_dagster.resources.guard COMMAND...`` starts the command and waits. When its
standard input closes, because the run closed it or because the run is dead, it ends the command
and everything that the command has started. It must be started in a process group of its own.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

_SECONDS_TO_END = 15


def main() -> None:
    """Run the command of the command line until it ends or standard input closes."""
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: _end(process))
    # A run that is interrupted from the keyboard decides itself when the server goes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_wait_for_the_run_to_end, args=(process,), daemon=True).start()
    code = process.wait()
    _kill_group_except_self()
    sys.exit(code if code >= 0 else 128 - code)


def _wait_for_the_run_to_end(process: subprocess.Popen[bytes]) -> None:
    # Not through sys.stdin, whose lock this thread would still hold when the interpreter ends.
    while os.read(0, 1):
        pass
    _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=_SECONDS_TO_END)
    os.killpg(0, signal.SIGKILL)


def _kill_group_except_self() -> None:
    """The command has ended; what it started must not stay."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)


if __name__ == "__main__":
    main()
