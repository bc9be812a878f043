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
    assert job.training.num_processes
    # The first worker reports to the Dagster run; these variables say where.
    pipes = {name: value for name, value in os.environ.items() if name.startswith("DAGSTER_PIPES")}
    ray.init(address="auto", runtime_env={"env_vars": pipes}, log_to_driver=False)
    trainer = TorchTrainer(
        _train,
        train_loop_config={"job_file": str(job_file)},
        scaling_config=ScalingConfig(
            num_workers=job.training.num_processes,
            use_gpu=ray.cluster_resources().get("GPU", 0) > 0,
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
