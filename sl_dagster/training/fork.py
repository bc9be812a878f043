"""Trainings on a CPU, each forked from one process that has imported what they need.

Importing torch, transformers and TRL takes longer than a short training. So the first training of a
run starts Python's fork server, which imports them, and every training is a fork of it: memory of
its own that is free again when it ends, as with a program that is started anew.
"""

import multiprocessing
import os
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path

_PRELOADED = "sl_dagster.training.train"


def train_in_fork(job_file: Path, environment: Mapping[str, str]) -> int:
    """Run one job to its end.

    However the wait for it ends, it does not outlive it.

    Args:
        job_file: what to train, as ``train.run`` takes it.
        environment: variables that are set besides those of this process.

    Returns:
        The exit status; that of a signal is negative.
    """
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload([_PRELOADED])
    # The server's own output goes where that of the run's first training went.
    outputs = [Connection(os.dup(number), readable=False) for number in (1, 2)]
    variables = {**os.environ, **environment}
    training = server.Process(target=_run, args=(job_file, variables, outputs), name="training")
    training.start()
    try:
        training.join()
    finally:
        if training.is_alive():
            training.kill()
            training.join()
        for output in outputs:
            output.close()
    assert training.exitcode is not None
    return training.exitcode


def _run(job_file: Path, variables: Mapping[str, str], outputs: list[Connection]) -> None:
    """What the fork does."""
    for number, output in enumerate(outputs, start=1):
        os.dup2(output.fileno(), number)
    os.environ.clear()
    os.environ.update(variables)
    # The run asks for a training without importing any of this; the fork has it already.
    from sl_dagster.training.train import run

    run(job_file)
