"""A project that is tortured, its runs, and all of its processes."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import psutil
import yaml

import sl_dagster.commands.running
import sl_dagster.resources.engines.transformers_engine  # noqa: F401
from sl_dagster.cli import main as main_of_the_command_line
from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.resources.storage.run_lock import Holder
from tests.assets.conftest import Project, new_project
from tests.torture.ways import SETTINGS, TWO_RANKS, Way

SECONDS_TO_DIE = 60  # for what a victim leaves alone
SHARED_MEMORY = Path("/dev/shm")


class Forked:
    """The command line, in a fork of this process, which has imported what it needs.

    That saves most of the time that a run needs to go on. Trainings and servers are programs that
    it starts, as ever.
    """

    def __init__(
        self, arguments: tuple[str, ...], environment: Mapping[str, str], output: int
    ) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if not self.pid:
            try:
                os.setsid()
                for stream in (1, 2):
                    os.dup2(output, stream)
                os.environ.clear()
                os.environ.update(environment)
                tempfile.tempdir = None
                sys.argv = ["sl-dagster", *arguments]
                sys.modules["__main__"] = ModuleType("__main__")  # trainings would import this one
                main_of_the_command_line()
            finally:
                os._exit(1)  # it ends the process itself

    def poll(self) -> int | None:
        """The exit status, once it has ended; that of a signal is negative."""
        return self._waited(os.WNOHANG)

    def wait(self) -> int:
        """Wait for its end; returns the exit status."""
        status = self._waited(0)
        assert status is not None
        return status

    def _waited(self, how: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, how)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


Run = Forked | subprocess.Popen[bytes]


@dataclass
class Tortured(Project):
    """A project, and what it has on this machine.

    Attributes:
        sessions: of the operating system, in which its processes are.
        shared: memory that they have shared, as files.
    """

    sessions: set[int] = field(default_factory=set)
    shared: set[Path] = field(default_factory=set)

    @property
    def history(self) -> Path:
        return self.root / "home"

    @property
    def temporary(self) -> Path:
        """The folder for temporary files of all its processes."""
        return self.root / "tmp"

    @classmethod
    def new(cls, root: Path, way: Way) -> "Tortured":
        """A project on which nothing has been run."""
        project = cls(new_project(root).root)
        project.temporary.mkdir()
        settings = project.history / "dagster.yaml"
        instance = yaml.safe_load(settings.read_text())
        instance["run_monitoring"]["poll_interval_seconds"] = 5  # killed runs are seen sooner
        settings.write_text(yaml.safe_dump(instance))
        (root / "two_ranks.yaml").write_text(yaml.safe_dump(TWO_RANKS))
        (root / "experiments" / "small.yaml").write_text(yaml.safe_dump(SETTINGS | way.settings))
        assert project.experiment.iterations == 2
        return project

    def start(self, way: Way) -> "Run":
        """Start both iterations; what is said goes to a file."""
        environment = self.environment | {"TMPDIR": str(self.temporary)}
        with (self.root / "output.txt").open("wb") as output:
            if not way.through_web_ui:
                run: Run = Forked(("run", "-e", "small"), environment, output.fileno())
            else:
                run = subprocess.Popen(
                    [sys.executable, "-m", "tests.through_web_ui", str(self.root)],
                    env=environment,
                    cwd=PROJECT_ROOT,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        self.sessions.add(run.pid)
        return run

    @property
    def said(self) -> str:
        """The end of what the last run has printed."""
        return (self.root / "output.txt").read_text(errors="replace")[-3000:]

    def holders(self) -> set[int]:
        """The processes that have claimed an iteration; they may be dead."""
        notes = [Holder.read(note) for note in self.data.glob("small/.*.run")]
        return {holder.process for holder in notes if holder}

    def processes(self) -> list[psutil.Process]:
        """All that work for this project, whoever their parents are."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                # vLLM's engines write their titles over their environments.
                mine = process.environ().get("SL_DAGSTER_DATA") == str(self.data)
                session = os.getsid(process.pid)
                if mine:
                    self.sessions.add(session)
                if session in self.sessions and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def note_shared_memory(self) -> None:
        """Note which shared memory its processes have at the moment."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                paths = {Path(used.path.split(" (")[0]) for used in process.memory_maps()}
                self.shared |= {path for path in paths if path.parent == SHARED_MEMORY}

    def cleared(self) -> Iterator[str]:
        """Clear what those that were killed have left for the system to clear; kinds of it."""
        left = [*self.temporary.iterdir(), *(path for path in self.shared if path.exists())]
        for path in left:
            if "inductor" not in path.name:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                yield "shared memory" if path.parent == SHARED_MEMORY else path.name[:4]

    def wait_until_all_have_ended(self) -> list[psutil.Process]:
        """Wait for a while; returns those that live on after all."""
        deadline = time.monotonic() + SECONDS_TO_DIE
        while (alive := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.2)
        return alive
