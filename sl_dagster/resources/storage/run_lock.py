"""Keeping two runs from working on the same iteration of an experiment at the same time.

Stages outside the loop are claimed one by one, so models can be measured while others are made.

On one machine the system's file lock decides, which is free again as soon as its holder is dead.
Such locks do not reach another machine over every shared folder. So a small file beside the lock
says who holds it, and the holder touches it as long as it lives: a run on another machine takes the
iteration over only when that has stopped.
"""

import errno
import json
import logging
import math
import os
import platform
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from sl_dagster.disk_errors import disk_errors_explained
from sl_dagster.errors import UserError
from sl_dagster.layout import check_layout, note_layout
from sl_dagster.resources.storage.stage_key import StageKey

_BEAT = 5.0  # seconds between two touches
_SILENCE = 60.0  # seconds without one after which a holder elsewhere seems to be dead
_BEATS_WATCHED = 3  # so long it must not touch its note, for that to be true
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Holder:
    """Who has claimed an iteration.

    Attributes:
        run_id: the Dagster run.
        machine: identifies a machine since it was started; containers on it share it.
        host, process: for people.
    """

    run_id: str
    machine: str
    host: str
    process: int

    @classmethod
    def this(cls, run_id: str) -> "Holder":
        """This process."""
        return cls(run_id, machine(), platform.node(), os.getpid())

    @classmethod
    def read(cls, path: Path) -> "Holder | None":
        """The holder that a file names; None if it names none.

        Raises:
            OSError: it cannot be read.
        """
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            # No such file, or one of an earlier version, which said nothing of machines.
            return None

    def __str__(self) -> str:
        return f"(run {self.run_id}), process {self.process} on {self.host}"


class RunLock:
    """Locks held from their first use until the run ends; a holder that is killed frees them."""

    def __init__(self) -> None:
        self._held: dict[Path, tuple[Holder, FileLock]] = {}
        self._ended = threading.Event()
        self._heart: threading.Thread | None = None

    def hold(self, data_dir: Path, key: StageKey, run_id: str) -> None:
        """Claim a stage's iteration for this run, or just the stage if it stands outside the loop.

        Claiming it again only sees that no other run has taken it over since.

        Raises:
            UserError: another run has it, or has taken it over; or the folder cannot be written.
        """
        part, what = key.name.replace("/", "."), str(key)
        if key.iteration is not None:
            part = f"iteration={key.iteration}"
            what = f"iteration {key.iteration} of {key.experiment}"
        path = data_dir / key.experiment / f".{part}.lock"
        note = path.with_suffix(".run")
        if path in self._held:
            with disk_errors_explained(f"{note}: cannot see whether this run has {what} still"):
                holder = Holder.read(note)
            if holder != self._held[path][0]:
                raise UserError(
                    f"another run {holder or '(run unknown)'} has taken over {what}, because this "
                    f"machine was silent for more than {_SILENCE:.0f} seconds: run again when that "
                    "has ended"
                )
            return
        with disk_errors_explained(f"{data_dir}: cannot claim {what}"):
            check_layout(data_dir)
            path.parent.mkdir(parents=True, exist_ok=True)
            note_layout(data_dir)
            lock = _locked(path)
            other = Holder.read(note)
            if lock is None or (other and _lives_elsewhere(other, note)):
                if lock:
                    lock.release()
                raise UserError(
                    f"another run is working on {what} {other or '(run unknown)'}: wait until it "
                    "has ended, or cancel it"
                )
            me = Holder.this(run_id)
            # This machine's lock guards its draft, of which a killed holder's is written over.
            draft = note.with_name(f"{note.name}.{me.host}")
            draft.write_text(json.dumps(asdict(me)), encoding="utf-8")
            draft.replace(note)
        self._held[path] = (me, lock)
        self._beat()

    def free(self) -> None:
        """Free all locks."""
        self._ended.set()
        if self._heart:
            self._heart.join()
            self._heart = None
        while self._held:
            path, (me, lock) = self._held.popitem()
            note = path.with_suffix(".run")
            with suppress(OSError):
                if Holder.read(note) == me:
                    note.unlink()
            lock.release()

    def _beat(self) -> None:
        """Show that this process lives, from a thread, until the locks are freed."""
        if self._heart:
            return

        def touch() -> None:
            while not self._ended.wait(_BEAT):
                for path, (me, _) in list(self._held.items()):
                    note = path.with_suffix(".run")
                    with suppress(OSError):
                        if Holder.read(note) == me:
                            os.utime(note)

        self._ended.clear()
        self._heart = threading.Thread(target=touch, name="run-lock", daemon=True)
        self._heart.start()


def holder_lives(data_dir: Path, run_id: str) -> bool | None:
    """Whether the process of a run lives; None if the run has claimed nothing.

    Of a process on another machine it takes a while to say that it is dead.

    Args:
        data_dir: where it has claimed iterations.
        run_id: the Dagster run.
    """
    for note in data_dir.glob("*/.*.run"):
        with suppress(OSError):  # the note is gone, or another user's; others say the same
            holder = Holder.read(note)
            if holder and holder.run_id == run_id:
                is_here = (holder.machine, holder.host) == (machine(), platform.node())
                return _runs_here(holder, note) if is_here else _shows_itself(holder, note)
    return None


def machine() -> str:
    """Identifies this machine since it was started."""
    try:
        return _BOOT.read_text().strip()
    except OSError:  # no Linux
        return platform.node()


def _locked(path: Path) -> FileLock | None:
    """The system's lock; None if another process has it."""
    # What it could fall back to is free again only when its holder says so, and the dead do not.
    lock = FileLock(path, timeout=0, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP):
            raise UserError(
                f"{path}: the file system knows no locks ({error.strerror}): mount it with them, "
                "or keep the data on another one (SL_DAGSTER_DATA)"
            ) from error
        raise
    return lock


def _lives_elsewhere(holder: Holder, note: Path) -> bool:
    # On this machine it has lost the system's lock, so it is dead.
    return holder.machine != machine() and _shows_itself(holder, note)


def _runs_here(holder: Holder, note: Path) -> bool:
    """Whether the process that has a holder's number is the holder."""
    try:
        began = psutil.Process(holder.process).create_time()
    except psutil.NoSuchProcess:
        return False
    # One that began after the holder's last sign has been given the number of a dead one.
    return began <= _touched(note) or _shows_itself(holder, note)


def _shows_itself(holder: Holder, note: Path) -> bool:
    """Whether a holder shows that it lives, or has done so lately.

    Clocks jump, so before a holder is taken for dead, the note is watched for a while.
    """
    with suppress(FileNotFoundError):
        seen, silence = _touched(note), _silence(note)
        if silence < _SILENCE:
            return True
        time.sleep(_BEATS_WATCHED * _BEAT)
        if _touched(note) != seen:
            return True
        _log.warning("%s has been silent for %.0f seconds: it seems to be dead", holder, silence)
    return False


def _silence(note: Path) -> float:
    """Seconds since a note was touched, by the file system's clock, which all machines share.

    Where this user cannot ask that clock, there is no telling: infinite.
    """
    lock_file = note.with_suffix(".lock")
    try:
        os.utime(lock_file)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return math.inf
        raise
    return abs(_touched(lock_file) - _touched(note))


def _touched(path: Path) -> float:
    """When a file was touched last; it is opened, so that a shared folder shows what is new."""
    with path.open("rb") as file:
        return os.fstat(file.fileno()).st_mtime
