"""What a disk refuses, and what is damaged on it, told to the user."""

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sl_dagster.errors import OutOfReachError, UserError

_OF_RUST = re.compile(r"\(os error (\d+)\)")
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR)


@contextmanager
def disk_errors_explained(what: str) -> Iterator[None]:
    """Turn a full disk, a missing permission or a broken file system into a message for the user.

    Args:
        what: what was being written, and what is safe.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as raised:
        error = _of_disk(raised)
        if error is None or error.errno == errno.EPIPE:
            raise
        where = f": {error.filename}" if error.filename else ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            remedy = "free some space and run again"
            raise UserError(f"{what}: the disk is full ({error.strerror}); {remedy}") from raised
        if error.errno in _NOT_WRITABLE:
            remedy = "make it writable, or keep the data in another folder (SL_DAGSTER_DATA)"
        elif error.errno == errno.EIO or error.filename:
            remedy = "check the disk, or keep the data in another folder (SL_DAGSTER_DATA)"
        else:
            raise
        raise UserError(f"{what}: {error.strerror}{where}; {remedy}") from raised


def _of_disk(error: Exception) -> OSError | None:
    """What the disk has refused; the writers of weights and tokenizers, which are Rust's, say it in
    the words of errors of their own."""
    if isinstance(error, OSError):
        return error
    if found := _OF_RUST.search(str(error)):
        return OSError(int(found[1]), os.strerror(int(found[1])))
    return None


@contextmanager
def damage_explained(
    path: Path, remedy: str, also: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Tell content that is not what was written from a file that cannot be read now.

    Only the first is a reason to make it anew: what another user may not read, or what a network
    does not show for a moment, is as good as before.

    Args:
        path: what is read.
        remedy: what mends it, if it is damaged.
        also: what else than the usual errors its reader raises if it is.

    Raises:
        OutOfReachError: it cannot be read.
        UserError: it is damaged, or gone.
    """
    try:
        yield
    except (OSError, KeyError, TypeError, ValueError, *also) as error:
        # Of content that makes no sense pyarrow says so as an OSError without a number.
        number = error.errno if isinstance(error, OSError) else None
        if number not in (None, errno.ENOENT, errno.ENOTDIR):
            raise OutOfReachError(
                f"{path} cannot be read ({os.strerror(number)}): make it readable, or check the "
                "disk, and run again"
            ) from error
        why = " ".join(str(error).split())
        raise UserError(f"{path} is damaged ({why}): {remedy}") from error


@contextmanager
def damage_passed_over(warn: Callable[[str], object]) -> Iterator[None]:
    """Pass over something stored that is damaged or gone, which is a reason to make it anew.

    Args:
        warn: is told what is wrong with it.

    Raises:
        OutOfReachError: it cannot be read, which is none.
    """
    try:
        yield
    except OutOfReachError:
        raise
    except UserError as error:
        warn(str(error))


def is_there(path: Path) -> bool:
    """Whether there is such a file.

    Raises:
        OutOfReachError: nobody can tell, since its folder cannot be looked into.
    """
    with damage_explained(path, "make it anew"):
        return path.is_file()
