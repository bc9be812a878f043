"""Another process that has a file open."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def database_open_elsewhere(path: Path, read_only: bool = False) -> Iterator[int]:
    """Another process keeps a DuckDB database open; yields its id."""
    program = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == 'True')\n"
        "print('open', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path), str(read_only)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    assert process.stdout.readline() == "open\n"
    try:
        yield process.pid
    finally:
        process.stdin.close()
        process.wait()
