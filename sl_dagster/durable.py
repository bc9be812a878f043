"""What is announced as complete is complete, even if the machine dies at that moment.

A file that has been written may be in the machine's memory only, and a new name on the disk before
the content that it names. So the content is settled first, then the name.
"""

import errno
import os
from pathlib import Path

# Of file systems on which folders cannot be settled, because they always are.
_NO_NEED = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)


def settle(path: Path) -> None:
    """Wait until a file, or a folder with everything in it, is on the disk.

    Raises:
        OSError: it cannot be written there.
    """
    if path.is_dir():
        for inner in path.iterdir():
            settle(inner)
        _settle_folder(path)
    elif not path.is_symlink():
        _sync(path)


def replace(new: Path, path: Path) -> None:
    """Give a finished file, or folder, its name, in place of what had it.

    Whoever looks under that name sees the old or the new whole, also after the machine has died.

    Raises:
        OSError: it cannot be written; what had the name before still has it.
    """
    settle(new)
    new.replace(path)
    _settle_folder(path.parent)


def _settle_folder(path: Path) -> None:
    try:
        _sync(path)
    except OSError as error:
        if error.errno not in _NO_NEED:
            raise


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
