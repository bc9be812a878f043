"""Trainings that Ray Train starts on two nodes, by docs/examples/ray; `make ray` runs this."""

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.training.job import JOB_FILE, TrainingJob
from tests.resources.train import assert_same_weights, ended, trained
from tests.training.examples import new_job

cluster_utils = pytest.importorskip("ray.cluster_utils", reason="Ray is not installed: `make ray`")
pytestmark = pytest.mark.integration

LAUNCHER = (
    sys.executable,
    str(PROJECT_ROOT / "docs" / "examples" / "ray" / "experiments" / "train_on_ray.py"),
)


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """Two nodes, to which trainings go; each has room for one process of one training."""
    folder = tempfile.mkdtemp(prefix="r")  # pytest's own is too long for the path of a socket
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("RAY_memory_monitor_refresh_ms", "0")  # others use this machine's memory, too
        nodes = cluster_utils.Cluster()
        try:
            for _ in range(2):
                nodes.add_node(num_cpus=1, include_dashboard=False)
            patch.setenv("RAY_ADDRESS", nodes.address)
            yield
        finally:
            nodes.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


def on_two_workers(folder: Path, name: str, **training) -> TrainingJob:
    return new_job(folder, name, batch_size=1, num_processes=2, launcher=LAUNCHER, **training)


def test_two_workers_learn_what_one_process_learns(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    expected = trained(alone := new_job(tmp_path, "alone", batch_size=2, precision="fp32"))
    capfd.readouterr()
    outcome = trained(both := on_two_workers(tmp_path, "both", precision="fp32"))
    assert "step 9/9, loss " in capfd.readouterr().err
    assert (outcome.steps, outcome.examples) == (expected.steps, expected.examples) == (9, 6)
    assert [point.step for point in outcome.losses] == [point.step for point in expected.losses]
    assert_same_weights(both, alone)


def test_what_ends_one_ends_all_and_the_next_run_goes_on(tmp_path: Path) -> None:
    long = on_two_workers(tmp_path, "long", epochs=30)
    step = 0
    for end in ("the run dies", "a rank dies", "cancelled"):
        step = ended(long, end, after=step, programs=training_programs)
    outcome = trained(long)
    assert outcome.resumed_at == step
    assert outcome.steps == 90


def test_workers_for_whom_there_is_no_room_are_not_awaited_in_silence(tmp_path: Path) -> None:
    job = new_job(tmp_path, "large", num_processes=3, launcher=LAUNCHER)
    job.output.mkdir()
    file = job.output / JOB_FILE
    file.write_text(job.model_dump_json())
    with subprocess.Popen([*LAUNCHER, str(file)], stderr=subprocess.PIPE, text=True) as launcher:
        assert launcher.stderr
        said = next(line for line in launcher.stderr if line.startswith("training."))
        launcher.kill()
    assert said == (
        "training.num_processes: 3 workers need a CPU each, and this Ray cluster has 2: they wait "
        "until it has more\n"
    )


def training_programs(job: TrainingJob) -> list[psutil.Process]:
    """The guard and the launcher, Ray Train's controller and, last, its workers."""
    commands = {}
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            commands[process] = " ".join(process.cmdline())
    found = [
        process
        for name in (str(job.output / JOB_FILE), "ray::TrainController", "ray::RayTrainWorker")
        for process, command in commands.items()
        if name in command
    ]
    assert len(found) == 5
    return found
