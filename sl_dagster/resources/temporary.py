"""Temporary files of a program that leaves some behind: they go when it has ended."""

import contextlib
import getpass
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "sl-dagster-"
# Sockets are made in it, whose paths have at most 107 characters.
_LONGEST_PLACE = 107 - len(f"/{_PREFIX}12345678/") - len("01234567-0123-0123-0123-0123456789ab")


@contextlib.contextmanager
def temporary_files() -> Iterator[dict[str, str]]:
    """What a program's environment needs for a folder of its own, which is removed at the end."""
    usual = tempfile.gettempdir()
    # What torch has compiled is worth keeping.
    compiled = Path(usual) / f"torchinductor_{getpass.getuser()}"
    place = usual if len(usual) <= _LONGEST_PLACE else "/tmp"
    with tempfile.TemporaryDirectory("", _PREFIX, place, ignore_cleanup_errors=True) as folder:
        kept = os.environ.get("TORCHINDUCTOR_CACHE_DIR", str(compiled))
        yield {"TORCHINDUCTOR_CACHE_DIR": kept, "TMPDIR": folder}
