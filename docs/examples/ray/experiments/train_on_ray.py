"""Trains on a Ray cluster: ``training.launcher: [python, train_on_ray.py]`` in an experiment.

It runs beside the Dagster run, on any host of the cluster, and ends with it. Each worker of Ray
Train is one process of the training; all of them must see the data folder at the same path.
"""

import os
import sys
from pathlib import Path

import ray
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

from sl_dagster.training.job import CHECKPOINTS, TrainingJob


def main() -> None:
    """Train the job whose file is named on the command line."""
    job_file = Path(sys.argv[1]).absolute()
    job = TrainingJob.model_validate_json(job_file.read_text(encoding="utf-8"))
    workers = job.training.num_processes
    assert workers
    # The first worker reports to the Dagster run; these variables say where.
    pipes = {name: value for name, value in os.environ.items() if name.startswith("DAGSTER_PIPES")}
    try:
        ray.init(address="auto", runtime_env={"env_vars": pipes}, log_to_driver=False)
    except ConnectionError as error:
        sys.exit(
            f"training.launcher: there is no Ray cluster to train on ({error}): run on one of its "
            "hosts, or name it in RAY_ADDRESS"
        )
    there = ray.cluster_resources()
    needed = "GPU" if there.get("GPU") else "CPU"
    if there.get(needed, 0) < workers:
        print(
            f"training.num_processes: {workers} workers need a {needed} each, and this Ray cluster "
            f"has {there.get(needed, 0):.0f}: they wait until it has more",
            file=sys.stderr,
            flush=True,
        )
    trainer = TorchTrainer(
        _train,
        train_loop_config={"job_file": str(job_file)},
        scaling_config=ScalingConfig(
            num_workers=workers,
            use_gpu=needed == "GPU",
            placement_strategy="SPREAD",
        ),
        # What Ray notes of it goes with the checkpoints, when the training has ended.
        run_config=RunConfig(name="ray", storage_path=str(job.output.absolute() / CHECKPOINTS)),
    )
    trainer.fit()


def _train(config: dict[str, str]) -> None:
    from sl_dagster.training.train import run

    run(Path(config["job_file"]))


if __name__ == "__main__":
    main()
