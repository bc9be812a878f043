"""Programs that may have no more memory than they have at some moment.

python -m tests.resources.short_of_memory DATA_FOLDER    # generation
python -m tests.resources.short_of_memory JOB_FILE       # a training, from a checkpoint on
"""

import os
import resource
import sys
from pathlib import Path
from typing import Any

import psutil

from sl_dagster.errors import UserError

_A_LITTLE = 4 << 20  # bytes
_A_LOT = 1 << 28  # numbers of four bytes


def take_no_more() -> None:
    """Let this process have hardly more memory than it has."""
    size = psutil.Process().memory_info().vms + _A_LITTLE
    resource.setrlimit(resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))


def generate(folder: Path) -> None:
    """Ask for more at once than there is room for, then for one answer; prints what is said."""
    from sl_dagster.resources.engines import open_engine
    from tests.resources.engines.conftest import SAMPLED, complete, mini_experiment, request

    os.environ["SL_DAGSTER_DATA"] = str(folder)
    engine = open_engine(mini_experiment(folder).served)
    little, much = (SAMPLED.model_copy(update={"max_tokens": count}) for count in (8, 1000))
    complete(engine, request("the old mill", little))
    take_no_more()
    try:
        complete(engine, *(request("the old mill", much, seed) for seed in range(64)))
    except UserError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    complete(engine, request("the old mill", little))
    print("goes on")
    engine.close()


def train() -> None:
    """The training program, which gets no more memory when it has made a checkpoint."""
    import torch
    from transformers import TrainerCallback

    from sl_dagster.training import train

    class TakesNoMore(TrainerCallback):
        """From the first checkpoint on; the step after it then needs more, as a long text does."""

        limited = False

        def on_save(self, *arguments: Any, **more: Any) -> None:
            take_no_more()
            self.limited = True

        def on_step_begin(self, *arguments: Any, **more: Any) -> None:
            if self.limited:
                torch.zeros(_A_LOT)

    make_trainer = train.make_trainer

    def made(*arguments: Any, **more: Any) -> Any:
        trainer = make_trainer(*arguments, **more)
        trainer.add_callback(TakesNoMore)
        return trainer

    train.make_trainer = made
    train.main()


if __name__ == "__main__":
    place = Path(sys.argv[1])
    generate(place) if place.is_dir() else train()
