"""What one training run needs to know, and what it reports: the contract with ``train.py``."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sl_dagster.experiment import Training
from sl_dagster.experiment.chat import Chat

RUN_PID_VARIABLE = "SL_DAGSTER_RUN_PID"
CHECKPOINTS = "checkpoints"  # the folder beside the adapter that is needed until it is finished
JOB_FILE = "job.json"  # the description of the training, beside what it makes
MESSAGES_FILE = "messages.jsonl"  # beside it, while it runs on hosts that share only the folder
# What its messages hold.
PROGRESS = "progress"
OUTCOME = "outcome"
MISTAKE = "mistake"
# What to do if a training runs out of memory.
LESS_MEMORY_TO_TRAIN = (
    "set training.gradient_checkpointing (running again then goes on from the last checkpoint), "
    "lower training.batch_size and raise training.gradient_accumulation as much, lower "
    "training.max_length, or take a smaller model"
)


class TrainingJob(BaseModel):
    """One role's fine-tuning, as a file handed to the training program.

    Attributes:
        name: what experiment trackers call it.
        project: what experiment trackers file it under.
        base_model, revision: the model that is adapted.
        chat: how an example becomes a chat.
        previous_adapter: folder of the adapter to continue; None begins a new one.
        all_weights: train the model itself instead of an adapter.
        training_set: Parquet file with ``prompt`` and ``completion`` chat messages, and with the
            ``instruction`` they belong to. If it has a column ``split``, what is ``validation``
            there is held back, whatever the training's ``evaluation_split``.
        output: folder that receives the adapter, or the whole model; checkpoints of a killed
            training are found there.
        training: hyper-parameters.
        seed: of the data order and of a new adapter's weights.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    project: str
    base_model: str
    revision: str
    chat: Chat = Chat()
    previous_adapter: Path | None
    all_weights: bool = False
    training_set: Path
    output: Path
    training: Training
    seed: int


class LossPoint(BaseModel):
    """A mean loss per token: since the point before, or of the evaluation at this step."""

    step: int
    loss: float


class TrainingOutcome(BaseModel):
    """What a finished training reports.

    Attributes:
        examples: examples that were trained on.
        truncated: examples that were longer than ``max_length``, so that their end was cut off.
        left_out: those of them whose prompt alone fills ``max_length``; not trained on.
        longest: the longest example in tokens, before any cut.
        tokens: tokens read, over all epochs.
        steps: optimiser steps.
        resumed_at: the step at which the training went on after a kill; 0 if it ran in one go.
        seconds: of the training itself, without loading, in all runs together, up to the checkpoint
            that the next one has gone on from.
        gpus: how many it ran on; 0 on a CPU, None if that was not recorded.
        losses: the loss curve.
        evaluation_examples: examples that were held back.
        evaluation_losses: the loss curve on them, from before the training on.
    """

    examples: int
    truncated: int
    left_out: int = 0
    longest: int
    tokens: int
    steps: int
    resumed_at: int = 0
    seconds: float
    gpus: int | None = None
    losses: list[LossPoint]
    evaluation_examples: int = 0
    evaluation_losses: list[LossPoint] = []

    @property
    def tokens_per_second(self) -> float:
        """The training's speed."""
        return self.tokens / max(self.seconds, 1e-9)
