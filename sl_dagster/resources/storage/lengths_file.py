"""Opening the lengths database beside others: for reading, for writing, and what stands against it.

DuckDB lets many processes read a file, or one write it. Whoever has it open in another program
keeps everybody else out for as long as that is.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import tenacity

from sl_dagster.errors import UserError

REBUILD = "`sl-dagster rebuild-stats`"

_SECONDS_TO_WAIT = 10  # other runs and readers of this project take far less
_HOLDER = re.compile(r"lock is held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")
_NOT_WRITABLE = re.compile(
    r"no space left|file too large|quota|permission denied|read-only file system"
    r"|operation not permitted|too many open files|input/output error|stale file handle",
    re.IGNORECASE,
)
_LOCKED = re.compile(r"could not set lock|different configuration", re.IGNORECASE)


class LengthsUnavailableError(UserError):
    """The lengths database cannot be used; the message says who holds it, or what is wrong.

    Attributes:
        locked: it is open elsewhere.
        damaged: it must be made anew.
    """

    def __init__(self, path: Path, error: duckdb.Error) -> None:
        said = " ".join(str(error).split())
        self.locked = bool(_LOCKED.search(said))
        self.damaged = not self.locked and not _NOT_WRITABLE.search(said)
        holder = _HOLDER.search(said)
        if holder:
            why = f"is open in {holder['program']} (process {holder['pid']}): close it there"
        elif self.locked:
            why = f"is open elsewhere ({said}): close it there"
        elif not self.damaged:
            why = f"cannot be used ({said}): free some space, or make it readable and writable"
        else:
            why = f"is damaged ({said}): {REBUILD} makes it anew from the Parquet files"
        super().__init__(f"{path} {why}")


@contextmanager
def open_for_reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that others can have at the same time, as long as nobody writes.

    Raises:
        LengthsUnavailableError: somebody has it open for writing, or it is damaged.
    """
    with _explained(path), duckdb.connect(str(path), read_only=True) as connection:
        yield connection


@contextmanager
def open_for_writing(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The only connection, in one transaction: what is written appears whole or not at all.

    Raises:
        LengthsUnavailableError: somebody else keeps it open, or it is damaged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = tenacity.Retrying(
        retry=tenacity.retry_if_exception(lambda error: getattr(error, "locked", False)),
        wait=tenacity.wait_random(0.05, 0.5),
        stop=tenacity.stop_after_delay(_SECONDS_TO_WAIT),
        reraise=True,
    )
    with waiting(_connected, path) as connection, _explained(path):
        connection.begin()
        try:
            yield connection
        except BaseException:
            connection.rollback()
            raise
        connection.commit()


def _connected(path: Path) -> duckdb.DuckDBPyConnection:
    with _explained(path):
        return duckdb.connect(str(path))


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise LengthsUnavailableError(path, error) from error
