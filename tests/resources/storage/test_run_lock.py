"""Two runs on one iteration."""

import errno
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sl_dagster.errors import UserError
from sl_dagster.resources.storage import run_lock
from sl_dagster.resources.storage.run_lock import Holder, RunLock
from sl_dagster.resources.storage.stage_key import StageKey
from tests.conftest import unreadable

# Holds iteration 1 of e. On "another machine" the locks of the system are its own, not seen here.
PROGRAM = """
import sys
from pathlib import Path
from sl_dagster.resources.storage import run_lock
from sl_dagster.resources.storage.stage_store import StageKey
if sys.argv[2] == "elsewhere":
    run_lock.machine = lambda: "another machine"
    real = run_lock._locked
    run_lock._locked = lambda path: real(path.with_suffix(".other"))
run_lock._BEAT = 0.1
run_lock.RunLock().hold(Path(sys.argv[1]), StageKey("e", "instructions", 1), "run-one")
print("held", flush=True)
sys.stdin.read()
"""


def refusing(number: int) -> Callable[..., None]:
    """A call of the system that fails with this number."""

    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return refused


@contextmanager
def held(folder: Path, where: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROGRAM, str(folder), where]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_run_is_told_who_works_there(tmp_path: Path) -> None:
    first, second = RunLock(), RunLock()
    first.hold(tmp_path, StageKey("e", "instructions", 1), "run-one")
    first.hold(tmp_path, StageKey("e", "instructions", 1), "run-one")
    second.hold(tmp_path, StageKey("e", "instructions", 2), "run-two")
    second.hold(tmp_path, StageKey("other", "instructions", 1), "run-two")
    with pytest.raises(UserError, match=r"working on iteration 1 of e \(run run-one\)"):
        second.hold(tmp_path, StageKey("e", "instructions", 1), "run-two")
    first.free()
    second.hold(tmp_path, StageKey("e", "instructions", 1), "run-two")
    second.free()
    assert not list(tmp_path.glob("*/*.run")), "nothing says that somebody works there"


def test_models_are_measured_while_others_are_made(tmp_path: Path) -> None:
    """And two models side by side, but no model by two runs."""
    making, measuring, other = RunLock(), RunLock(), RunLock()
    for key in (StageKey("e", "seeds", None), StageKey("e", "instructions", 2)):
        making.hold(tmp_path, key, "run-one")
    measuring.hold(tmp_path, StageKey("e", "longen_scores", None, "1"), "run-two")
    other.hold(tmp_path, StageKey("e", "longen_scores", None, "base"), "run-three")
    with pytest.raises(UserError, match=r"on e/longen_scores of model 1 \(run run-two\)"):
        other.hold(tmp_path, StageKey("e", "longen_scores", None, "1"), "run-three")
    with pytest.raises(UserError, match=r"on e/seeds \(run run-one\)"):
        other.hold(tmp_path, StageKey("e", "seeds", None), "run-three")
    for lock in (making, measuring, other):
        lock.free()
    assert not list(tmp_path.glob("*/.*.run"))


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_a_run_in_another_process_or_on_another_machine_is_seen(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "_SILENCE", 1.0)
    with held(tmp_path, where) as process:
        time.sleep(1.5)  # longer than the silence: it keeps itself alive
        with pytest.raises(UserError, match=rf"\(run run-one\), process {process.pid} on "):
            RunLock().hold(tmp_path, StageKey("e", "instructions", 1), "run-two")


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_a_run_that_is_killed_blocks_nobody(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once on the same machine; after a silence if it was on another."""
    monkeypatch.setattr(run_lock, "_SILENCE", 1.0)
    monkeypatch.setattr(run_lock, "_BEAT", 0.1)
    with held(tmp_path, where) as process:
        process.kill()
        process.wait()
    second = RunLock()
    if where == "elsewhere":
        with pytest.raises(UserError, match=r"\(run run-one\)"):
            second.hold(tmp_path, StageKey("e", "instructions", 1), "run-two")
        time.sleep(1.2)
    second.hold(tmp_path, StageKey("e", "instructions", 1), "run-two")
    note = Holder.read(tmp_path / "e" / ".iteration=1.run")
    assert note and note.run_id == "run-two"
    second.free()


@pytest.mark.parametrize("jump", [3600, -3600])
@pytest.mark.parametrize("lives", [True, False])
def test_a_clock_that_jumps_neither_ends_a_run_nor_keeps_a_dead_one(
    tmp_path: Path, jump: int, lives: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of the folder that both machines share."""
    monkeypatch.setattr(run_lock, "_BEAT", 1.0 if lives else 0.1)
    touch = os.utime
    second = RunLock()
    with held(tmp_path, "elsewhere") as process:
        now = time.time() + jump
        monkeypatch.setattr(run_lock.os, "utime", lambda path: touch(path, (now, now)))
        if lives:
            with pytest.raises(UserError, match=r"\(run run-one\)"):
                second.hold(tmp_path, StageKey("e", "instructions", 1), "run-two")
            return
        process.kill()
        process.wait()
    second.hold(tmp_path, StageKey("e", "instructions", 1), "run-two")
    second.free()


def test_a_run_whose_machine_was_asleep_goes_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = RunLock()
    first.hold(tmp_path, StageKey("e", "instructions", 1), "run-one")
    note = tmp_path / "e" / ".iteration=1.run"
    long_ago = time.time() - 1000
    os.utime(note, (long_ago, long_ago))
    monkeypatch.setattr(run_lock, "_BEATS_WATCHED", 0)
    monkeypatch.setattr(run_lock, "machine", lambda: "another machine")
    locked = run_lock._locked
    monkeypatch.setattr(run_lock, "_locked", lambda path: locked(path.with_suffix(".other")))
    second = RunLock()
    second.hold(tmp_path, StageKey("e", "instructions", 1), "run-two")
    with pytest.raises(UserError, match=r"run \(run run-two\).* has taken over iteration 1 of e"):
        first.hold(tmp_path, StageKey("e", "instructions", 1), "run-one")
    first.free()
    assert note.exists(), "it is the other's"
    second.free()


def test_the_note_of_an_earlier_version_blocks_nobody(tmp_path: Path) -> None:
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / ".iteration=1.run").write_text("a-run-of-last-week")
    lock = RunLock()
    lock.hold(tmp_path, StageKey("e", "instructions", 1), "run-two")
    lock.free()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, not a folder")
    with pytest.raises(UserError, match=r"data: cannot claim iteration 1 of e: .*Not a directory"):
        RunLock().hold(tmp_path / "data", StageKey("e", "instructions", 1), "run-one")


def test_a_run_that_does_not_know_whether_it_was_taken_over_says_so(tmp_path: Path) -> None:
    lock = RunLock()
    lock.hold(tmp_path, StageKey("e", "instructions", 1), "run-one")
    with (
        unreadable(),
        pytest.raises(UserError, match="cannot see whether this run has iteration 1"),
    ):
        lock.hold(tmp_path, StageKey("e", "instructions", 1), "run-one")
    lock.hold(tmp_path, StageKey("e", "instructions", 1), "run-one")
    lock.free()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks_is_named(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """filelock would take a file for the lock, which outlives a holder that is killed."""

    monkeypatch.setattr(fcntl, "flock", refusing(number))
    with pytest.raises(UserError, match=r"the file system knows no locks .*SL_DAGSTER_DATA"):
        RunLock().hold(tmp_path, StageKey("e", "instructions", 1), "run-one")


def test_whose_number_another_process_has_is_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "_BEAT", 0.1)
    lock = RunLock()
    lock.hold(tmp_path, StageKey("e", "instructions", 1), "run-one")
    assert run_lock.holder_lives(tmp_path, "run-one")
    note = tmp_path / "e" / ".iteration=1.run"
    kept = note.read_text()
    lock.free()
    note.write_text(kept)
    # This process has the number; it cannot be the one that touched the note last, a day ago.
    a_day_ago = time.time() - 86_400
    os.utime(note, (a_day_ago, a_day_ago))
    assert run_lock.holder_lives(tmp_path, "run-one") is False


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.EROFS])
def test_the_claims_of_another_user_can_only_be_watched(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "_BEAT", 0.1)
    with held(tmp_path, "elsewhere") as process:
        monkeypatch.setattr(run_lock.os, "utime", refusing(number))
        assert run_lock.holder_lives(tmp_path, "run-one")
        process.kill()
        process.wait()
    assert run_lock.holder_lives(tmp_path, "run-one") is False
