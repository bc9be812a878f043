"""Stores as a run does, killed before each change of a file in turn.

    python -m tests.resources.storage.killing STORED FINGERPRINT FOLDER

Each kill has a copy of STORED, FOLDER/<number>. Prints what would have been done next, and how many
records had been asked for. All are forks of a process that has imported what they need.
"""

import itertools
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from tests.resources.storage.storing import make_and_store

_CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_ASKS = "asks for a record"
_STRIDE = 16  # of so many records, it is killed before one


def stored_and_killed(folder: Path, fingerprint: str, last: int) -> list[str]:
    """Store in a fork, which is killed before the change of this number.

    Returns:
        All changes and records, the last one not made; none if it came to its end before.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        changes = itertools.count()

        def change(event: str, arguments: tuple[Any, ...]) -> None:
            opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING
            if event not in (*_CHANGES, _ASKS) and not opened:
                return
            os.write(writer, f"{event} {arguments[0]}\n".encode())
            counts = event != _ASKS or arguments[0] % _STRIDE == 0
            if counts and next(changes) == last:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(change)
        make_and_store(folder, fingerprint, lambda number: sys.audit(_ASKS, number))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as changes_made:
        said = changes_made.read().splitlines()
    _, status = os.waitpid(pid, 0)
    assert status in (0, signal.SIGKILL), said
    return said if status else []


def main() -> None:
    """Kill before every change, one after the other, until there is no change left."""
    stored, fingerprint, folder = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    os.fsync = lambda number: None  # the machine lives on, and waiting takes most of the time
    for number in itertools.count():
        copy = shutil.copytree(stored, folder / str(number))
        said = stored_and_killed(copy, fingerprint, number)
        if not said:
            break
        asked = sum(line.startswith(_ASKS) for line in said[:-1])
        print(json.dumps({"folder": str(copy), "next": said[-1], "asked": asked}))


if __name__ == "__main__":
    main()
