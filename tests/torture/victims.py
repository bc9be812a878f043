"""Who is killed, and when."""

import contextlib
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.torture.made import announced
from tests.torture.runs import Run, Tortured

ALL_OF_IT = ("run", "everything at once", "the machine")
# The stages that a model writes, in order, and how many of the kills are to hit one of them.
WRITTEN = [
    f"small/{stage}/iteration={iteration}"
    for iteration in (1, 2)
    for stage in ("instructions", "initial_responses", "round1_stage1", "round1_stage2")
]
WHILE_WRITING = 0.7
RECORDS = "records.parquet"
EARLY = 0.1  # share of victims that may be killed while the run still imports
# How long those live who do not live until the end, as a share of an undisturbed run's time.
LIVES = {"training": 0.05, "training's launcher": 0.15, "rank 0": 0.15, "rank 1": 0.15}
PROGRAMS = {
    "resources.guard": "vLLM's guard",
    "vllm.entrypoints": "vLLM's server",
    "VLLM::EngineCor": "vLLM's engine",
    "VLLM::Worker": "vLLM's worker",
    "accelerate.commands.launch": "training's launcher",
    "sl_dagster.cli ui": "web UI",
    "dagster_webserver": "webserver",
    "dagster._daemon": "daemon",
    "dagster api grpc": "code server",
}


def kind_of(process: psutil.Process) -> str | None:
    """Which victim a process of a run is, but for the run itself."""
    command = " ".join(process.cmdline())
    for part, kind in PROGRAMS.items():
        if part in command:
            return kind
    if "training.train" in command:
        if rank := process.environ().get("RANK"):
            return f"rank {rank}"
        parent = process.parent()
        forked = parent and "training.train" in " ".join(parent.cmdline())
        return "training" if forked else "training's fork server"
    return None


def victims(project: Tortured, kind: str) -> list[psutil.Process]:
    """The processes that are to be killed; none if there is no such victim now."""
    everything = project.processes()
    if kind in ("everything at once", "the machine"):
        return everything
    if kind == "run":
        holders = project.holders()
        return [process for process in everything if process.pid in holders]
    found = []
    for process in everything:
        with contextlib.suppress(psutil.Error):
            if kind_of(process) == kind:
                found.append(process)
    return found[:1]


def tear(project: Tortured, draw: random.Random) -> None:
    """Do to files what the death of a machine may do to those that nobody has waited for."""
    kept = {project.data / path for path in announced(project.data)}
    for whole in project.data.glob("small/**/whole.json"):  # which is written last
        kept |= {*whole.parent.rglob("*")}
    for path in [path for path in project.data.glob("small/**/*") if path.is_file()]:
        if path in kept or draw.random() < 0.3:
            continue
        content = path.read_bytes()
        left = draw.randrange(len(content) + 1)
        if draw.random() < 0.3:
            path.unlink()
        else:  # the rest has no content yet, or its length is not known either
            path.write_bytes(content[:left] + draw.choice([b"", b"\0" * (len(content) - left)]))


def strike(
    project: Tortured,
    run: Run,
    kind: str,
    seconds: float,
    draw: random.Random,
) -> bool:
    """Kill a victim at a random moment of its life; False if it has ended before."""
    if draw.random() > EARLY:
        _wait(lambda: run.poll() is not None or victims(project, "run"), pause=0.2)
    _wait(lambda: run.poll() is not None or victims(project, kind), pause=0.2)
    unfinished = [stage for stage in WRITTEN if not (project.data / stage / RECORDS).exists()]
    if kind not in LIVES and unfinished and draw.random() < WHILE_WRITING:
        stage, records = project.data / draw.choice(unfinished[:4]), draw.randint(1, 5)
        _wait(lambda: run.poll() is not None or written(stage) >= records)
    else:
        _wait(lambda: run.poll() is not None, draw.random() * LIVES.get(kind, 1 / 4) * seconds)
    chosen = victims(project, kind) if run.poll() is None else []
    project.note_shared_memory()
    for process in chosen:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    return bool(chosen)


def written(stage: Path) -> float:
    """How many records of a stage are in its journal; of a complete one, more than any number."""
    if (stage / RECORDS).exists():
        return float("inf")
    journals = [path.read_bytes() for path in stage.glob("journal-*.jsonl")]
    return sum(journal.count(b"\n") for journal in journals)


def _wait(condition: Callable[[], Any], seconds: float = float("inf"), pause: float = 0.02) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(pause)
