"""Handing the final data set on, in the formats that other tools read.

What is written are files for ``datasets``, TRL, LLaMA-Factory and the like that need nothing of
this project.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from sl_dagster.experiment import Experiment
from sl_dagster.experiment.chat import Chat
from sl_dagster.method.final_set import Split
from sl_dagster.method.training_pairs import generator_pair
from sl_dagster.publishing.model_export import new_folder
from sl_dagster.publishing.pairs import final_pairs
from sl_dagster.resources.records import Pair
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore

DatasetFormat = Literal["parquet", "jsonl", "sharegpt", "alpaca", "openai-messages"]

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
    format: DatasetFormat
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
    with new_folder(export.out) as folder:
        counts = write_splits(export, stages, folder)
        (folder / "README.md").write_text(_readme(export, counts), encoding="utf-8")
    return counts


def write_splits(export: DatasetExport, stages: StageStore, folder: Path) -> dict[str, int]:
    """Write the files of the data set into a folder, for each side of the split that has pairs.

    Returns, raises: as ``export_dataset``.
    """
    counts = {}
    for split in get_args(Split):
        pairs = (pair for pair in _pairs(export.experiment, stages) if pair.split == split)
        counts[split] = _write(export, pairs, folder / split)
    return counts


def _pairs(experiment: Experiment, stages: StageStore) -> Iterator[Pair]:
    dataset = stages.read(StageKey(experiment.name, "dataset", None))
    controlled = StageKey(experiment.name, "length_controlled", None)
    if controlled not in stages.complete(experiment.name):
        return dataset.records(Pair)
    return final_pairs(dataset, stages.read(controlled))


def _write(export: DatasetExport, pairs: Iterator[Pair], file: Path) -> int:
    """Write a file and say how many pairs it holds; none is written without pairs."""
    first = next(pairs, None)
    if first is None:
        return 0
    pairs = chain([first], pairs)
    if export.format == "parquet":
        return _write_parquet(map(_row, pairs), file.with_suffix(".parquet"))
    convert = _CONVERTERS[export.format]
    count = 0
    with file.with_suffix(".jsonl").open("w", encoding="utf-8") as lines:
        for pair in pairs:
            content = convert(pair, export.experiment.chat)
            lines.write(json.dumps(content, ensure_ascii=False) + "\n")
            count += 1
    return count


def _write_parquet(rows: Iterator[dict[str, Any]], file: Path) -> int:
    count = 0
    with pq.ParquetWriter(file, _ROW_SCHEMA, compression="zstd") as writer:
        while batch := list(islice(rows, _BATCH_ROWS)):
            writer.write_table(pa.Table.from_pylist(batch, schema=_ROW_SCHEMA))
            count += len(batch)
    return count


def _row(pair: Pair) -> dict[str, Any]:
    """A pair with its provenance; iteration, stage and record_id are those of its response."""
    return {
        "query": pair.query,
        "response": pair.response,
        "language": pair.language,
        "kind": pair.kind,
        "words": pair.words,
        "constraint": pair.constraint,
        "constraint_type": pair.constraint_type,
        "iteration": pair.source_iteration,
        "stage": pair.source_stage,
        "record_id": pair.source_id,
    }


def _sharegpt(pair: Pair, chat: Chat) -> dict[str, Any]:
    turns = [{"from": "human", "value": pair.query}, {"from": "gpt", "value": pair.response}]
    if chat.system_prompt:
        turns.insert(0, {"from": "system", "value": chat.system_prompt})
    return {"id": pair.source_id, "conversations": turns}


def _alpaca(pair: Pair, chat: Chat) -> dict[str, Any]:
    example = {"instruction": pair.query, "input": "", "output": pair.response}
    return example | ({"system": chat.system_prompt} if chat.system_prompt else {})


def _openai_messages(pair: Pair, chat: Chat) -> dict[str, Any]:
    prompt, completion = generator_pair(pair.query, pair.response)
    return {"messages": chat.messages(*prompt, *completion)}


_CONVERTERS: dict[str, Callable[[Pair, Chat], dict[str, Any]]] = {
    "jsonl": lambda pair, _: _row(pair),
    "sharegpt": _sharegpt,
    "alpaca": _alpaca,
    "openai-messages": _openai_messages,
}


def _readme(export: DatasetExport, counts: dict[str, int]) -> str:
    experiment = export.experiment
    pairs = ", ".join(f"{split} {count}" for split, count in counts.items())
    return (
        f"# {experiment.name}: final data set\n\n"
        f"(query, response) pairs, made by sl-dagster ({experiment.method_title}).\n\n"
        f"- Base model: {experiment.base_model} (revision {experiment.revision})\n"
        f"- Format: {export.format}\n"
        f"- Pairs: {pairs}\n"
    )
