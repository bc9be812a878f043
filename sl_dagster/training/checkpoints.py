"""Checkpoints: which of them are whole, so that a training that was killed can go on from it."""

import contextlib
import json
from pathlib import Path
from typing import Any

from accelerate import PartialState
from transformers import TrainerCallback

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
