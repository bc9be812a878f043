"""What ``make ray`` runs: the tests of trainings on Ray Train, and then an iteration on a cluster.

Each runs behind a guard, in a session of its own, so that all it starts ends with this program,
however that ends, or with the program that has started it.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

HERE = Path(__file__).parent
PROJECT = HERE.parents[2]
PORT = 8117  # of the experiment's base_urls
SECONDS_TO_END = 30
ADAPTERS_OF_RAY = Path("/tmp/ray/llm/lora/cache")  # where Ray Serve LLM keeps what it has fetched


def main() -> None:
    """Run all of it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    check_port()
    with no_adapters_left():
        run("-m", "pytest", str(PROJECT / "tests" / "resources" / "test_ray_train.py"))
        run(str(HERE / "cluster.py"))


def interrupted(number: int, _: object) -> None:
    """Leave, and be left in peace meanwhile."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    print("make ray: interrupted; what it has started is being ended", file=sys.stderr, flush=True)
    sys.exit(128 + number)


def check_port() -> None:
    """Leave, saying why, if the replicas cannot have their address."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", PORT))
        except OSError:
            sys.exit(
                f"make ray: port {PORT} of this machine is in use, perhaps by another `make ray`: "
                f"wait for it, or end the program that `ss -ltnp 'sport = :{PORT}'` names"
            )


@contextmanager
def no_adapters_left() -> Iterator[None]:
    """Remove what the replicas have fetched; Ray Serve LLM itself never does."""
    before = set(ADAPTERS_OF_RAY.glob("*"))
    try:
        yield
    finally:
        for path in set(ADAPTERS_OF_RAY.glob("*")) - before:
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)
        with suppress(OSError):  # others may have something there
            for folder in (ADAPTERS_OF_RAY, *ADAPTERS_OF_RAY.parents[:3]):
                folder.rmdir()


def run(*arguments: str) -> None:
    """Run Python with these arguments; leave if that fails, and with nothing of it left."""
    parent = os.getppid()
    guard = [sys.executable, "-m", "sl_dagster.resources.guard", "--temporary"]
    process = subprocess.Popen(
        [*guard, sys.executable, *arguments],
        cwd=PROJECT,
        env=os.environ | {"TMPDIR": "/tmp"},  # the path of a socket must be short
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        while process.poll() is None and os.getppid() == parent:
            time.sleep(0.2)
    finally:
        below = psutil.Process().children(recursive=True)
        assert process.stdin
        process.stdin.close()
        process.wait()
        # What has a session and a guard of its own, such as the run, ends at about the same time.
        for left in psutil.wait_procs(below, timeout=SECONDS_TO_END)[1]:
            with suppress(psutil.NoSuchProcess):
                left.kill()
    if process.returncode:
        sys.exit(process.returncode)


if __name__ == "__main__":
    main()
