"""The training set as tokens: rendered by the chat template, masked, and split."""

import os
import random
import shutil
from dataclasses import dataclass
from typing import Any

from datasets import Dataset, load_dataset

from sl_dagster.errors import UserError
from sl_dagster.training.job import CHECKPOINTS, TrainingJob


@dataclass(frozen=True)
class TokenizedExamples:
    """The training set as tokens.

    Attributes:
        train: what is trained on: ``input_ids``, and ``completion_mask`` with 1 for what is learnt.
        evaluation: what is held back; None without an evaluation split.
        truncated, left_out, longest: see ``TrainingOutcome``.
        train_tokens: tokens of ``train``, after the cut.
    """

    train: Dataset
    evaluation: Dataset | None
    truncated: int
    left_out: int
    longest: int
    train_tokens: int


def tokenized(job: TrainingJob, tokenizer: Any, stops: set[int]) -> TokenizedExamples:
    """Read the training set, render it by the chat template, and split it.

    Args:
        job: names the training set.
        tokenizer: the base model's.
        stops: the tokens that end a turn.

    Raises:
        UserError: the template does not suit training, or no example is left.
    """
    rows, examples = _rendered(job, tokenizer, stops)
    limit = job.training.max_length
    lengths = [len(ids) for ids in examples["input_ids"]]
    usable = [place for place, mask in enumerate(examples["completion_mask"]) if any(mask[:limit])]
    held_back = _held_back(job, rows)
    train = [place for place in usable if place not in held_back]
    evaluation = [place for place in usable if place in held_back]
    if not usable:
        raise UserError(
            f"training.max_length: {limit} tokens hold no more than the prompt of each of the "
            f"{len(lengths)} examples; the longest example has {max(lengths)} tokens"
        )
    if usable and not train and "split" in rows.column_names:
        raise UserError(
            f"dataset.validation_split: all {len(lengths)} pairs are held back, so that nothing is "
            "left to train on: lower it"
        )
    if not train or (job.training.evaluation_split and not evaluation):
        raise UserError(
            f"training.evaluation_split: {job.training.evaluation_split:g} of {len(lengths)} "
            f"examples leaves {len(train)} to train on and {len(evaluation)} to evaluate on"
        )
    examples = examples.map(lambda row: {name: ids[:limit] for name, ids in row.items()})
    return TokenizedExamples(
        train=examples.select(train),
        evaluation=examples.select(evaluation) if evaluation else None,
        truncated=sum(length > limit for length in lengths),
        left_out=len(lengths) - len(usable),
        longest=max(lengths),
        train_tokens=sum(min(lengths[place], limit) for place in train),
    )


def _rendered(job: TrainingJob, tokenizer: Any, stops: set[int]) -> tuple[Dataset, Dataset]:
    """The training set as it is stored, and as tokens."""
    # Each process has its own, which goes when the training is finished. What a training that was
    # killed has left may be torn, and nobody would see it.
    cache = job.output / CHECKPOINTS / f"examples-{os.environ.get('RANK', '0')}"
    shutil.rmtree(cache, ignore_errors=True)
    rows = load_dataset(
        "parquet", data_files=str(job.training_set), split="train", cache_dir=str(cache)
    )
    assert isinstance(rows, Dataset)

    def tokens(row: dict[str, Any]) -> dict[str, list[int]]:
        given, learnt = job.chat.example(tokenizer, stops, row["prompt"], row["completion"])
        mask = [0] * len(given) + [1] * len(learnt)
        return {"input_ids": given + learnt, "completion_mask": mask}

    return rows, rows.map(tokens, remove_columns=rows.column_names)


def _held_back(job: TrainingJob, rows: Dataset) -> set[int]:
    """The examples to evaluate on: those of some of the instructions, which no other has."""
    if "split" in rows.column_names:
        return {place for place, split in enumerate(rows["split"]) if split == "validation"}
    share = job.training.evaluation_split
    if not share:
        return set()
    instructions = rows["instruction"]
    different = sorted(set(instructions))
    count = max(1, round(share * len(different)))
    chosen = set(random.Random(job.seed).sample(different, count))
    return {place for place, instruction in enumerate(instructions) if instruction in chosen}
