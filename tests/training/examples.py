"""A small training set, and the job of learning it."""

from pathlib import Path
from typing import Any

from datasets import Dataset

from sl_dagster.experiment import Lora, Training
from sl_dagster.training.job import TrainingJob
from tests.conftest import DEMO_MODEL

ROWS = [
    {
        "instruction": f"Write about lantern {number // 2}.",
        "prompt": [{"role": "user", "content": f"Write about lantern {number // 2}."}],
        "completion": [{"role": "assistant", "content": f"Lantern {number} was old.\n\nIt shone."}],
    }
    for number in range(6)
]


def new_job(folder: Path, name: str = "adapter", **training: Any) -> TrainingJob:
    """A job that writes into a folder of that name, with its training set beside it."""
    training_set = folder / "records.parquet"
    Dataset.from_list(ROWS).to_parquet(str(training_set))
    settings: dict[str, Any] = {
        "lora": Lora(rank=4, alpha=8), "learning_rate": 1e-2, "epochs": 3, "batch_size": 2,
    }  # fmt: skip
    return TrainingJob(
        name="small/generator_lora of iteration 1",
        project="small",
        base_model=str(DEMO_MODEL),
        revision="main",
        previous_adapter=None,
        training_set=training_set,
        output=folder / name,
        training=Training(**settings | training),
        seed=1,
    )
