"""What tests share: experiments and adapters in a temporary folder, the command line, an engine."""

import io
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from sl_dagster.cli import call
from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.resources.engines import Completion, Engine, Request
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.training.job import LossPoint, TrainingOutcome

# Speed is not what tests are about: on a busy machine any of them may take its time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

DEMO_MODEL = PROJECT_ROOT / "sl_dagster" / "demo" / "model"

OUTCOME = TrainingOutcome(
    examples=3,
    truncated=0,
    longest=9,
    tokens=27,
    steps=1,
    seconds=1.5,
    losses=[LossPoint(step=1, loss=2.0)],
)

Cli = Callable[..., subprocess.CompletedProcess[str]]

# One process runs all tests that share a server or a history, and otherwise those of a file. What
# takes longest comes first, so that in the end no process waits for another one's long tests.
TOGETHER = {
    "tests/browser": "browser",
    "tests/resources/engines/test_contract.py": "engines",
    "tests/resources/engines/test_transformers_engine.py": "engines",
    "tests/resources/engines/test_vllm_engine.py": "engines",
}
FIRST = (
    "browser",
    "tests/assets/test_rematerialize.py",
    "tests/resources/test_launcher.py",
    "engines",
    "tests/assets/test_resume.py",
    "tests/resources/engines/test_vllm_server.py",
    "tests/assets/test_vllm_servers.py",
    "tests/test_cli.py",
)


def group(nodeid: str) -> str:
    """What is run by one process: the tests of a file, or of several that belong together."""
    file = nodeid.partition("::")[0]
    return TOGETHER.get(file) or TOGETHER.get(file.rpartition("/")[0]) or file


class Groups(LoadFileScheduling):
    """``--dist loadfile``, with groups of files in the place of files."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups | None:
    """Have the processes take groups."""
    return Groups(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests in the order in which the processes take them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        places = {name: place for place, name in enumerate(FIRST)}
        items.sort(key=lambda item: places.get(group(item.nodeid), len(FIRST)))


@contextmanager
def unreadable() -> Iterator[None]:
    """A while in which this process can open no file, whatever a file may hold."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


class ScriptedEngine(Engine):
    """Answers by a function; for code that does not depend on what a model says.

    Attributes:
        requests: everything that was asked, in order.
    """

    def __init__(self, answer: Callable[[Request], str | Completion | Exception]) -> None:
        self._answer = answer
        self.requests: list[Request] = []
        self.released = 0
        self.closed = False

    @property
    def concurrency(self) -> int:
        return 4

    async def complete(self, request: Request) -> Completion:
        self.requests.append(request)
        answer = self._answer(request)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            return Completion(answer, len(answer.split()), 10, "stop")
        return answer

    def release(self) -> None:
        self.released += 1

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def write_experiment(tmp_path: Path) -> Callable[..., Path]:
    """Writes an experiment file with its seed file beside it; keywords change its settings."""

    def write(name: str = "small", **settings: Any) -> Path:
        folder = tmp_path / "experiments"
        folder.mkdir(exist_ok=True)
        (folder / "seeds.jsonl").write_text(
            '{"instruction": "Write a story about an old bridge.", "language": "en"}\n'
            '{"instruction": "Write a letter about a lost key.", "language": "en"}\n'
        )
        content = {"base_model": "some/model", "seeds": "seeds.jsonl"} | settings
        content = {key: value for key, value in content.items() if value is not ...}
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    return write


@pytest.fixture
def adapters(tmp_path: Path) -> AdapterStore:
    return AdapterStore(data_dir=str(tmp_path / "data"))


def called(
    *arguments: str, environment: Mapping[str, str], stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Call the command line in this process; one of its own imports for longer than it works.

    Args:
        environment: variables that are set meanwhile besides those of this process.
    """
    taken = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
    said, wrong = (
        io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)
    )
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(said),
        redirect_stderr(wrong),
    ):
        patch.setattr(sys, "stdin", taken)
        for name, value in environment.items():
            patch.setenv(name, value)
        code = call(list(arguments))
    return subprocess.CompletedProcess(arguments, code, _written(said), _written(wrong))


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    """Variables that give the command line folders of its own."""
    return {
        "SL_DAGSTER_EXPERIMENTS": str(tmp_path / "experiments"),
        "SL_DAGSTER_DATA": str(tmp_path / "data"),
        "DAGSTER_HOME": str(tmp_path / "home"),
    }


@pytest.fixture
def cli(folders: dict[str, str]) -> Cli:
    """Calls the command line in this process, on folders of its own."""

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return called(*arguments, environment=folders, stdin=stdin)

    return run


@pytest.fixture
def program(folders: dict[str, str]) -> Cli:
    """Runs the command line as a program, on the same folders."""

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sl_dagster.cli", *arguments]
        return subprocess.run(
            command,
            env=os.environ | folders,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
