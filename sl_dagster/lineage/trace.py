"""Following a record to its sources: seeds, instructions, earlier stages, adapters."""

from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.tree import Tree

from sl_dagster.errors import UserError
from sl_dagster.method.plain_text import plain_text
from sl_dagster.resources.adapters import asset_of
from sl_dagster.resources.records import Record, Text
from sl_dagster.resources.storage.lengths import LengthsDatabase
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore

_SNIPPET = 100


def trace_record(record_id: str, data_dir: Path) -> dict[str, Any]:
    """A record with all its ancestors.

    Returns:
        The record's facts, with ``adapter`` (who wrote it) and ``parents``, a list of records of
        the same form, down to the seeds. A parent whose stage was made anew since then has only
        its id and ``missing``.

    Raises:
        UserError: no stored record has this id.
    """
    record_id = plain_text(record_id)  # as all text is that is stored
    lengths = LengthsDatabase(data_dir=str(data_dir))
    pairs = lengths.ancestry(record_id)
    ids = {record_id, *(parent for _, parent in pairs)}
    records = read_records(lengths.locate_all(sorted(ids)), StageStore(data_dir=str(data_dir)))
    if record_id not in records:
        raise UserError(
            f"there is no record {record_id[:_SNIPPET]}; ids stand in the Parquet files, in the "
            "tables of the web UI and in `record_lengths` of the lengths database"
        )
    adapters = lengths.adapters()

    def node(one_id: str) -> dict[str, Any]:
        record = records.get(one_id)
        if record is None:
            return {"record_id": one_id, "missing": "its stage has been made anew since then"}
        return {
            **_facts(record),
            "adapter": writer_of(record, adapters),
            "parents": [node(parent) for parent in record.parents],
        }

    return node(record_id)


def as_tree(traced: dict[str, Any]) -> Tree:
    """The same for a terminal: each record with its parents below it."""
    tree = Tree(_label(traced))
    _grow(tree, traced)
    return tree


def _grow(tree: Tree, traced: dict[str, Any]) -> None:
    for parent in traced.get("parents", []):
        _grow(tree.add(_label(parent)), parent)


def _label(node: dict[str, Any]) -> str:
    if "missing" in node:
        return f"{node['record_id']} [dim]({node['missing']})[/]"
    iteration = f", iteration {node['iteration']}" if node["iteration"] else ""
    dropped = "" if node["kept"] else f" [red]not kept: {node['drop_reason']}[/]"
    writer = node["adapter"]
    by = f"\n[dim]written by {writer['name']} ({writer['fingerprint']})[/]" if writer else ""
    snippet = " ".join((node["text"] or "").split())
    snippet = snippet if len(snippet) <= _SNIPPET else snippet[:_SNIPPET] + "…"
    return (
        f"[bold]{node['stage']}[/]{iteration}  {node['record_id']}  "
        f"{node['words']} words{dropped}\n{escape(plain_text(snippet))}{by}"
    )


def read_records(keys: dict[str, StageKey], stages: StageStore) -> dict[str, Record]:
    """Read the records with these ids where they stand; what is there no more is left out."""
    by_stage: dict[StageKey, set[str]] = {}
    for record_id, key in keys.items():
        by_stage.setdefault(key, set()).add(record_id)
    return {
        record.record_id: record
        for key, ids in by_stage.items()
        for record in stages.read(key).pick(ids)
    }


def _facts(record: Record) -> dict[str, Any]:
    return {
        "record_id": record.record_id,
        "experiment": record.experiment,
        "iteration": record.iteration,
        "stage": record.stage,
        "words": record.words,
        "kept": record.kept,
        "drop_reason": record.drop_reason,
        "attempt": record.attempt,
        "prefix_characters": record.prefix_characters if isinstance(record, Text) else None,
        "commentary": record.commentary if isinstance(record, Text) else None,
        "text": record.written,
    }


def writer_of(record: Record, adapters: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Who wrote a record: name and fingerprint, of a known adapter also role and iteration.

    Args:
        record: the record.
        adapters: as the lengths database has noted them.

    Returns:
        None if no model wrote it.
    """
    if record.adapter is None:
        return None
    if record.adapter.startswith("base-"):
        return {"name": "the base model", "fingerprint": record.adapter}
    known = adapters.get(record.adapter)
    if known is None:
        return {"name": "an adapter made anew since then", "fingerprint": record.adapter}
    return {
        "name": asset_of(known["role"], known["iteration"]),
        "fingerprint": record.adapter,
        "role": known["role"],
        "iteration": known["iteration"],
    }
