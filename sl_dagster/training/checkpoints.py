"""Checkpoints: which of them are whole, and how long the training took until them."""

import contextlib
import json
import time
from pathlib import Path
from typing import Any

from accelerate import PartialState
from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from sl_dagster import durable

_WHOLE = "whole.json"  # beside a checkpoint: the sizes of its files


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that is whole."""
    found = sorted(folder.glob("checkpoint-*"), key=step_of, reverse=True)
    return next((checkpoint for checkpoint in found if _is_whole(checkpoint)), None)


def _is_whole(checkpoint: Path) -> bool:
    """Whether all files have the sizes that they had when the checkpoint was finished."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads((checkpoint / _WHOLE).read_text(encoding="utf-8")) == _sizes(checkpoint)
    return False


def _sizes(checkpoint: Path) -> dict[str, int]:
    return {
        str(path.relative_to(checkpoint)): path.stat().st_size
        for path in sorted(checkpoint.rglob("*"))
        if path.is_file() and path.name != _WHOLE
    }


def step_of(checkpoint: Path) -> int:
    """After how many steps a checkpoint was taken."""
    return int(checkpoint.name.rpartition("-")[2])


class CheckpointsNoted(TrainerCallback):
    """Notes of a checkpoint, once it is on the disk, what belongs to it."""

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        PartialState().wait_for_everyone()  # each process has written files of its own
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if state.is_world_process_zero:
            durable.settle(checkpoint)
            new = checkpoint / f"{_WHOLE}.new"
            new.write_text(json.dumps(_sizes(checkpoint)), encoding="utf-8")
            durable.replace(new, checkpoint / _WHOLE)


class Stopwatch(TrainerCallback, ExportableState):
    """How long a training takes; a checkpoint holds it, so that one that goes on counts all runs.

    Attributes:
        seconds: since the start; of earlier runs, up to the checkpoint that is gone on from.
    """

    def __init__(self) -> None:
        """Start it."""
        self._before = 0.0
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time that has passed, in all runs together."""
        return self._before + time.monotonic() - self._start

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        # transformers restores it itself only together with its own flow of control. A checkpoint
        # of an earlier version has none, and saving the next one asks for the name.
        none_yet = {"args": {}, "attributes": {"seconds": 0.0}}
        stored = state.stateful_callbacks.setdefault(type(self).__name__, none_yet)
        if state.global_step:
            self._before = stored["attributes"]["seconds"]

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {"args": {}, "attributes": {"seconds": self.seconds}}
