"""What a run has made: what is announced as complete, and what two runs must have in common."""

import contextlib
import json
import multiprocessing
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pyarrow.parquet as pq

from sl_dagster.resources.adapters import WEIGHTS_FILE
from tests.torture.runs import Tortured


def journals(project: Tortured) -> dict[Path, list[str]]:
    """The finished slots in the journals of stages that are not complete."""
    return {
        path: [json.loads(line)[0] for line in path.read_bytes().splitlines(True) if _whole(line)]
        for path in project.data.glob("small/*/*/journal-*.jsonl")
    }


def _whole(line: bytes) -> bool:
    return line.startswith(b'["') and line.endswith(b"]\n")


def announced(data: Path) -> dict[Path, bytes]:
    """What a data folder announces as complete: the content of all files that belong to it."""
    files: list[Path] = []
    for records in data.glob("small/**/records.parquet"):
        if records.parent.name != "rejected" and ".draft" not in str(records):
            files += [records, *records.parent.glob("rejected/records.parquet")]
    for pointer in data.glob("small/*/*/adapter.json"):
        files.append(pointer)
        if weights := json.loads(pointer.read_text())["adapter"]["path"]:  # none: the base model
            files += (path for path in (data / weights).rglob("*") if path.name != "trial.json")
    return {path.relative_to(data): path.read_bytes() for path in files if path.is_file()}


def moment(project: Tortured) -> str:
    """What is being made, which is what was written to last of what is not complete."""
    patterns = ("small/*/*/journal-*", "small/*/*/.training-*/**/*", "small/**/.draft-*")
    found = {}
    for path in [path for pattern in patterns for path in project.data.glob(pattern)]:
        with contextlib.suppress(FileNotFoundError):
            found[path.stat().st_mtime] = path.relative_to(project.data).parts[1]
    return found[max(found)] if found else "between stages"


def made_by(project: Tortured) -> dict[str, Any]:
    """``made``, in a fork: what reads files has threads, and this process forks best without."""
    here, there = multiprocessing.Pipe()
    forked = multiprocessing.get_context("fork").Process(
        target=lambda: there.send(made(project)), name="compares"
    )
    forked.start()
    there.close()
    found = here.recv()
    forked.join()
    return found


def made(project: Tortured) -> dict[str, Any]:
    """All that two runs must have in common: records, weights, tables, versions in the lineage."""
    found: dict[str, Any] = {}
    for path in announced(project.data):
        file = project.data / path
        if file.suffix == ".parquet":
            found[str(path)] = pq.read_table(file).to_pylist()
        elif file.name == "adapter.json":
            pointer = json.loads(file.read_text())
            found[str(path)] = [pointer["adapter"], pointer["made_from"]]
            found[f"losses of {path}"] = (pointer["outcome"] or {}).get("losses")
        elif file.name == WEIGHTS_FILE:
            found[str(path)] = file.read_bytes()
    with duckdb.connect(str(project.data / "lengths.duckdb"), read_only=True) as connection:
        for (table,) in connection.execute("SHOW TABLES").fetchall():
            rows = connection.sql(f"FROM {table}").fetchall()
            found[f"table {table}"] = sorted(rows, key=repr)
    return found | dict(versions(project))


def versions(project: Tortured) -> Iterator[tuple[str, Any]]:
    """In Dagster's history: the version of every asset, and those of what it was made from."""
    with dg.DagsterInstance.from_config(str(project.history)) as instance:
        for key in instance.all_asset_keys():
            for partition in ("1", "2", None):
                wanted = dg.AssetRecordsFilter(
                    asset_key=key, asset_partitions=[partition] if partition else None
                )
                for record in instance.fetch_materializations(wanted, limit=1).records:
                    assert record.asset_materialization
                    tags = record.asset_materialization.tags or {}
                    yield (
                        f"version of {key.to_user_string()} of iteration {partition}",
                        {name: value for name, value in tags.items() if "data_version" in name},
                    )


def continued(project: Tortured) -> set[tuple[str, int]]:
    """Of the last runs: each stage that they went on with, and from how many records."""
    found = set()
    with dg.DagsterInstance.from_config(str(project.history)) as instance:
        for run in instance.get_runs(limit=4):
            for entry in instance.all_logs(run.run_id):
                said = re.search(r"continuing: (\d+) records are in", entry.user_message)
                if said and entry.step_key:
                    found.add((entry.step_key.rpartition("__")[2], int(said[1])))
    return found
