"""What a disk refuses, told to the user."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from sl_dagster.errors import UserError

_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR)


@contextmanager
def disk_errors_explained(what: str) -> Iterator[None]:
    """Turn a full disk, a missing permission or a broken file system into a message for the user.

    Args:
        what: what was being written, and what is safe.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise UserError(
                f"{what}: the disk is full ({error.strerror}); free some space and run again"
            ) from error
        if error.errno == errno.EIO or (error.filename and error.errno not in _NOT_WRITABLE):
            where = f": {error.filename}" if error.filename else ""
            raise UserError(
                f"{what}: {error.strerror}{where}; check the disk, or keep the data in another "
                "folder (SL_DAGSTER_DATA)"
            ) from error
        if error.errno in _NOT_WRITABLE:
            raise UserError(
                f"{what}: {error.strerror}: {error.filename}; make it writable, or keep the data "
                "in another folder (SL_DAGSTER_DATA)"
            ) from error
        raise
