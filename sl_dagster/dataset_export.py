"""Handing the final data set on, in the formats that other tools read.

What is written are files for ``datasets``, TRL, LLaMA-Factory and the like that need nothing of
this project.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.export import new_folder
from sl_dagster.method.final_set import Split
from sl_dagster.method.prompts import Message
from sl_dagster.pairs import final_pairs
from sl_dagster.records import Record
from sl_dagster.resources.stage_store import StageKey, StageStore, StoredStage

Format = Literal["parquet", "jsonl", "sharegpt", "alpaca", "openai-messages"]

_ROW_SCHEMA = pa.schema(
    [
        ("query", pa.string()),
        ("response", pa.string()),
        ("language", pa.string()),
        ("kind", pa.string()),
        ("words", pa.int64()),
        ("constraint", pa.string()),
        ("constraint_type", pa.string()),
        ("iteration", pa.int32()),
        ("stage", pa.string()),
        ("record_id", pa.string()),
    ]
)
_BATCH_ROWS = 1000


@dataclass(frozen=True)
class DatasetExport:
    """What to hand on.

    Attributes:
        experiment: whose data set.
        format: of the files.
        out: the folder to make.
    """

    experiment: Experiment
    format: Format
    out: Path


def export_dataset(export: DatasetExport, stages: StageStore) -> dict[str, int]:
    """Write the data set, one file for each side of its split that has pairs.

    Queries have a length in them if ``length_controlled`` has been made. The folder appears when it
    is complete.

    Returns:
        The number of pairs on each side of the split.

    Raises:
        UserError: there is no data set, a stage is damaged or out of date, or the folder holds
            something already or cannot be written.
    """
    counts: dict[str, int] = dict.fromkeys(get_args(Split), 0)
    with new_folder(export.out) as folder, ExitStack() as stack:
        files: dict[str, _File] = {}
        for pair in _pairs(export.experiment, stages):
            split = str(pair.split)
            if split not in files:
                files[split] = stack.enter_context(_opened(export, folder / split))
            files[split].write(pair)
            counts[split] += 1
        readme = _readme(export, counts)
        (folder / "README.md").write_text(readme, encoding="utf-8")
    return counts


def _pairs(experiment: Experiment, stages: StageStore) -> Iterator[Record]:
    dataset = stages.read(StageKey(experiment.name, "dataset", None))
    controlled = StageKey(experiment.name, "length_controlled", None)
    if controlled not in stages.complete(experiment.name):
        return dataset.records()
    return final_pairs(dataset, stages.read(controlled))
