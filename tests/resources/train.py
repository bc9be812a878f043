"""Runs a training as an asset does; ``python -m tests.resources.train JOB`` for one to kill."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import psutil

from sl_dagster.resources.adapters import WEIGHTS_FILE
from sl_dagster.resources.trainer import Trainer
from sl_dagster.training.job import CHECKPOINTS, TrainingJob, TrainingOutcome

# Late imports: as the program, which does not need them, this starts in one second instead of five.


def trained(job: TrainingJob) -> TrainingOutcome:
    """What the Dagster run hears of a training.

    Raises:
        UserError: as ``Trainer.train``.
    """
    outcomes = []

    @dg.asset
    def adapter(context: dg.AssetExecutionContext, trainer: Trainer) -> dg.MaterializeResult:
        outcomes.append(trainer.train(context, job))
        return dg.MaterializeResult()

    job.output.mkdir(exist_ok=True)
    dg.materialize([adapter], resources={"trainer": Trainer()})
    [outcome] = outcomes
    return outcome


def assert_same_weights(one: TrainingJob, other: TrainingJob) -> None:
    """See that two trainings have learnt the same."""
    import torch
    from safetensors.torch import load_file

    there, here = (load_file(job.output / WEIGHTS_FILE) for job in (one, other))
    assert there.keys() == here.keys()
    for name, tensor in here.items():
        # Adam divides by the size of a gradient, so roundings of small ones show.
        torch.testing.assert_close(there[name], tensor, atol=1e-3, rtol=0)


def ended(
    job: TrainingJob,
    end: str,
    after: int,
    programs: Callable[[TrainingJob], list[psutil.Process]],
) -> int:
    """End a training in this way when it has a new checkpoint, and see that nothing is left of it.

    Args:
        end: ``the run dies``, ``a rank dies`` or ``cancelled``: as the web UI does it.
        after: the step of the newest checkpoint before, from which it must go on.
        programs: finds the processes that belong to it; the last is one of those that train.

    Returns:
        The step of the newest one now.
    """
    file, log = job.output.with_suffix(".json"), job.output.with_suffix(".log")
    file.write_text(job.model_dump_json())
    with log.open("w") as stderr:
        command = [sys.executable, "-m", "tests.resources.train", str(file)]
        run = subprocess.Popen(command, stderr=stderr)
    goes_on = f"interrupted, at checkpoint-{after}\n" if after else ""
    while newest_step(job) <= after or goes_on not in log.read_text():
        assert run.poll() is None, f"the training ended too early: {log.read_text()}"
        time.sleep(0.05)
    found = programs(job)
    assert len(found) >= 2
    if end == "a rank dies":
        found[-1].send_signal(signal.SIGKILL)
    else:
        run.send_signal(signal.SIGKILL if end == "the run dies" else signal.SIGINT)
    assert run.wait(timeout=60) != 0
    _, alive = psutil.wait_procs(found, timeout=60)
    assert alive == []
    return newest_step(job)


def newest_step(job: TrainingJob) -> int:
    """The step of the newest checkpoint; 0 if there is none yet."""
    from sl_dagster.training.checkpoints import step_of

    whole = (job.output / CHECKPOINTS).glob("checkpoint-*/whole.json")
    return max((step_of(path.parent) for path in whole), default=0)


if __name__ == "__main__":
    trained(TrainingJob.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8")))
