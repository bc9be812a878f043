"""Runs a training as an asset does; ``python -m tests.resources.train JOB`` for one to kill."""

import sys
from pathlib import Path

import dagster as dg

from sl_dagster.resources.trainer import Trainer
from sl_dagster.training.job import TrainingJob, TrainingOutcome


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


if __name__ == "__main__":
    trained(TrainingJob.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8")))
