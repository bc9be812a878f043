"""Tokens per second of a training: one example at a time, in batches, and packed.

The same examples, cut from the project's own documentation and as uneven in length as a training
set is, are trained on in four ways in one run, with about as many tokens in each update:

- one by one, unpacked, in float32, as the paper's code does; gradients of eight are added up;
- the same in bfloat16;
- eight in a batch, end to end, in bfloat16;
- packed into sequences as long as the longest example, in bfloat16; as many in a batch as have the
  tokens of eight examples.

A larger model needs fewer at once, since the logits of a whole batch are in memory together.

Prints for each its tokens per second and its loss curve by the share of the training done. By
default on the miniature model; a real one is a folder or an id of the hub.

    python bench/training.py --model smollm2/model --examples 16 --epochs 1 --at-once 2
"""

import argparse
import json
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

from datasets import Dataset, disable_progress_bars
from transformers.utils import logging

from sl_dagster.experiment import Training
from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.training.job import TrainingJob, TrainingOutcome
from sl_dagster.training.train import train

POINTS = 6  # of a loss curve


def main() -> None:
    """Train in each way, and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=str(PROJECT_ROOT / "sl_dagster" / "demo" / "model"))
    parser.add_argument("--examples", type=int, default=256)
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--at-once", type=int, default=8, help="examples in an update")
    arguments = parser.parse_args()
    disable_progress_bars()
    logging.set_verbosity_error()
    with TemporaryDirectory() as folder:
        training_set = Path(folder) / "records.parquet"
        rows = examples(arguments.examples)
        Dataset.from_list(rows).to_parquet(str(training_set))
        one_by_one = Training(
            epochs=arguments.epochs,
            gradient_accumulation=arguments.at_once,
            precision="fp32",
            checkpoints=0,
        )
        slow = measure("one by one, float32", arguments.model, training_set, one_by_one)
        packed = {"packing": True, "batch_size": round(slow.tokens / slow.steps / slow.longest)}
        ways: dict[str, dict[str, Any]] = {
            "one by one, bfloat16": {},
            "in batches, bfloat16": {"gradient_accumulation": 1, "batch_size": arguments.at_once},
            "packed, bfloat16": {"gradient_accumulation": 1, **packed},
        }
        for name, way in ways.items():
            training = one_by_one.model_copy(update={"precision": "bf16", **way})
            fast = measure(name, arguments.model, training_set, training)
            ratio = round(fast.tokens_per_second / slow.tokens_per_second, 2)
            print(json.dumps({"training": name, "times as fast as one by one": ratio}), flush=True)


def examples(count: int) -> list[dict[str, Any]]:
    """So many examples of 30 to 400 words each."""
    files = [PROJECT_ROOT / "README.md", *sorted((PROJECT_ROOT / "docs").glob("*.md"))]
    words = " ".join(file.read_text(encoding="utf-8") for file in files).split()
    random = Random(1)
    rows = []
    for number in range(count):
        length = int(random.triangular(30, 400, 100))
        start = random.randrange(len(words) - length)
        rows.append(
            {
                "instruction": f"Write part {number} of the documentation.",
                "prompt": [{"role": "user", "content": f"Write part {number}."}],
                "completion": [
                    {"role": "assistant", "content": " ".join(words[start : start + length])}
                ],
            }
        )
    return rows


def measure(name: str, model: str, training_set: Path, training: Training) -> TrainingOutcome:
    """Train once, and print what it did."""
    with TemporaryDirectory() as output:
        job = TrainingJob(
            name="bench",
            project="bench",
            base_model=model,
            revision="main",
            previous_adapter=None,
            training_set=training_set,
            output=Path(output),
            training=training,
            seed=1,
        )
        outcome = train(job, pipes=None)
    figures = {
        "training": name,
        "examples": outcome.examples,
        "tokens": outcome.tokens,
        "updates": outcome.steps,
        "seconds": round(outcome.seconds, 1),
        "tokens_per_second": round(outcome.tokens_per_second, 1),
        "loss": _curve([point.loss for point in outcome.losses]),
    }
    print(json.dumps(figures), flush=True)
    return outcome


def _curve(losses: list[float]) -> list[float]:
    """The means of so many equal parts of a loss curve."""
    edges = [round(part * len(losses) / POINTS) for part in range(POINTS + 1)]
    parts = [losses[first:last] for first, last in pairwise(edges)]
    return [round(mean(part), 3) for part in parts if part]


if __name__ == "__main__":
    main()
