"""Parquet files of records: written in batches of bounded size, read row group by row group.

Facts about what is in a file stand in its own metadata: its manifest.
"""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sl_dagster.resources.records import Record

_MANIFEST_KEY = "sl_dagster"
_BATCH_CHARACTERS = 8_000_000
_BATCH_ROWS = 10_000


class RecordsFile:
    """A file that is being written.

    Attributes:
        rows: how many records it has so far.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.rows = 0
        self._schema = schema
        self._pending: list[dict[str, Any]] = []
        self._pending_characters = 0
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True)

    def append(self, record: Record) -> None:
        """Add a record."""
        row = record.as_row()
        self._pending.append(row)
        self._pending_characters += _characters(row)
        self.rows += 1
        full = self._pending_characters > _BATCH_CHARACTERS
        if full or len(self._pending) == _BATCH_ROWS:
            self._flush()

    def close(self, manifest: dict[str, Any]) -> None:
        """Write the rest, and the manifest."""
        self._flush()
        self._writer.add_key_value_metadata(
            {_MANIFEST_KEY: json.dumps(manifest, ensure_ascii=False)}
        )
        self._writer.close()

    def _flush(self) -> None:
        if self._pending:
            self._writer.write_table(pa.Table.from_pylist(self._pending, schema=self._schema))
        self._pending.clear()
        self._pending_characters = 0


def manifest_of(path: Path) -> dict[str, Any]:
    """A file's manifest.

    Raises:
        pa.ArrowException, KeyError, OSError, ValueError: it is damaged.
    """
    metadata = pq.read_metadata(path).metadata or {}
    return json.loads(metadata[_MANIFEST_KEY.encode()])


def opened(path: Path) -> pq.ParquetFile:
    """A file to be read, whose every page is checked."""
    # Pre-buffering would keep everything that was read in memory until the file is closed.
    return pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True)


def rows_at(file: pq.ParquetFile, positions: Collection[int]) -> dict[int, dict[str, Any]]:
    """The rows at these positions, by position, reading only the row groups that hold them."""
    found: dict[int, dict[str, Any]] = {}
    first = 0
    for group in range(file.num_row_groups):
        after = first + file.metadata.row_group(group).num_rows
        wanted = sorted(position for position in positions if first <= position < after)
        if wanted:
            rows = file.read_row_group(group).take([position - first for position in wanted])
            found.update(zip(wanted, rows.to_pylist(), strict=True))
        first = after
    return found


def _characters(row: dict[str, Any]) -> int:
    """How much text a row holds, its own and what it was made from."""
    texts = [value for value in row.values() if isinstance(value, str)]
    messages = [*row.get("prompt", ()), *row.get("completion", ())]
    return sum(map(len, texts)) + sum(len(message["content"]) for message in messages)
