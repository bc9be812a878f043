"""What one training run needs to know, and what it reports: the contract with ``train.py``."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sl_dagster.experiment import Training

RUN_PID_VARIABLE = "SL_DAGSTER_RUN_PID"
OUTCOME = "outcome"


class TrainingJob(BaseModel):
    """One role's fine-tuning, as a file handed to the training program.

    Attributes:
        base_model, revision: the model that is adapted.
        previous_adapter: folder of the adapter to continue; None begins a new one.
        training_set: Parquet file with ``prompt`` and ``completion`` chat messages.
        output: folder that receives the adapter.
        training: hyper-parameters.
        seed: of the data order and of a new adapter's weights.
    """

    model_config = ConfigDict(extra="forbid")

    base_model: str
    revision: str
    previous_adapter: Path | None
    training_set: Path
    output: Path
    training: Training
    seed: int


class LossPoint(BaseModel):
    """The mean loss per token since the point before, at one optimiser step."""

    step: int
    loss: float


class TrainingOutcome(BaseModel):
    """What a finished training reports.

    Attributes:
        examples: size of the training set.
        truncated: examples that were longer than ``max_length``.
        longest: the longest example in tokens.
        tokens: tokens read, over all epochs.
        steps: optimiser steps.
        seconds: of the training itself, without loading.
        losses: the loss curve.
    """

    examples: int
    truncated: int
    longest: int
    tokens: int
    steps: int
    seconds: float
    losses: list[LossPoint]
