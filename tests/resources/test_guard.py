"""The guard: what it starts ends with the run, whatever that does, and leaves no file."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

GUARD = [sys.executable, "-m", "sl_dagster.resources.guard"]
# Makes a temporary file, starts a process that cannot be asked to end, and waits or not. The
# process is in the program's group or, like those of Ray, in one of its own.
_PROGRAM = """
import signal, subprocess, sys, tempfile, time
tempfile.mkstemp()
stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", stubborn], process_group={group})
print(child.pid, flush=True)
time.sleep({seconds})
sys.exit(7)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """For temporary files, with a path as short as such folders have."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as name:
        yield Path(name)


def started(
    folder: Path, seconds: int, *options: str, group: int | None = None
) -> tuple[subprocess.Popen[str], psutil.Process]:
    """A guard whose command lives for so long, and the process that the command has started."""
    command = [sys.executable, "-c", _PROGRAM.format(seconds=seconds, group=group)]
    guard = subprocess.Popen(
        [*GUARD, *options, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(folder)},
    )
    assert guard.stdout
    return guard, psutil.Process(int(guard.stdout.readline()))


def ends(process: psutil.Process) -> bool:
    """Whether a process that is not ours ends, or has ended."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("group", [None, 0], ids=["its group", "a group of its own"])
@pytest.mark.parametrize("how", ["the run closes its input", "it is asked to end"])
def test_the_command_and_all_below_end_with_the_run(
    folder: Path, how: str, group: int | None
) -> None:
    guard, below = started(folder, 600, "--temporary", group=group)
    assert [*folder.glob("*/*")], "the command's temporary file"
    if how == "it is asked to end":
        guard.send_signal(signal.SIGTERM)
    else:
        assert guard.stdin
        guard.stdin.close()
    assert guard.wait(timeout=60) == 128 + signal.SIGTERM
    assert ends(below)
    assert not [*folder.iterdir()]


def test_a_command_hears_sigterm_where_its_run_does_not(folder: Path) -> None:
    """A script's background job may be deaf to signals, and what it starts would be, too."""
    heard = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        guard, _ = started(folder, 600)
    finally:
        signal.signal(signal.SIGTERM, heard)
    assert guard.stdin
    guard.stdin.close()
    assert guard.wait(timeout=60) == 128 + signal.SIGTERM, "it had not to be killed"


def test_a_command_that_ends_is_followed_by_all_below(folder: Path) -> None:
    guard, below = started(folder, 0, "--temporary")
    assert guard.wait(timeout=60) == 7, "its own exit status"
    assert ends(below)
    assert not [*folder.iterdir()]


def test_shared_memory_goes_with_those_that_had_it(folder: Path) -> None:
    """Two processes have it; neither can be asked to end, nor can remove it."""
    program = (
        "import multiprocessing as mp, signal, sys, time\n"
        "from multiprocessing.shared_memory import SharedMemory\n"
        "def hold(memory): time.sleep(600)\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "    memory = SharedMemory(create=True, size=4096)\n"
        "    mp.Process(target=hold, args=(memory,)).start()\n"
        "    print(memory.name, flush=True)\n"
        "    import os; os._exit(0)\n"
    )
    guard = subprocess.Popen(
        [*GUARD, sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert guard.stdout
    memory = Path("/dev/shm", guard.stdout.readline().strip())
    assert memory.name.startswith("psm_")
    assert guard.wait(timeout=60) == 0
    deadline = time.monotonic() + 10  # the tracker is no child of ours
    while memory.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not memory.exists()


def test_without_the_option_temporary_files_are_where_they_always_are(folder: Path) -> None:
    guard, below = started(folder, 0)
    assert guard.wait(timeout=60) == 7
    assert ends(below)
    assert [path for path in folder.iterdir() if path.is_file()]


def test_sockets_can_be_made_among_the_temporary_files(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 200)
    long.mkdir()
    program = (
        "import socket, tempfile, uuid; "
        "socket.socket(socket.AF_UNIX).bind(f'{tempfile.gettempdir()}/{uuid.uuid4()}')"
    )
    guard = subprocess.Popen(
        [*GUARD, "--temporary", sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(long)},
    )
    assert guard.wait(timeout=60) == 0
