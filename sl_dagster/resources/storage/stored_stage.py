"""A complete stage on disk, and how its records are read.

A stage's folder, ``<data>/<experiment>/<stage>/iteration=<i>/`` (or ``model=<m>/``), holds

- ``records.parquet``: the records that the next stage reads. Its appearance completes the stage;
  facts about the run (counts, lengths, fingerprint) stand in the file's own metadata.
- ``rejected/records.parquet``: every text that was discarded on the way, with the reason.
- ``journal-<fingerprint>.jsonl``: only while the stage is incomplete.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar, overload

import pyarrow as pa
from pyarrow import compute

from sl_dagster.disk_errors import damage_explained, is_there
from sl_dagster.errors import UserError
from sl_dagster.resources.records import Record, kind_of
from sl_dagster.resources.storage.records_file import manifest_of, opened, rows_at
from sl_dagster.resources.storage.stage_key import StageKey

_RecordType = TypeVar("_RecordType", bound=Record)

RECORDS = "records.parquet"
REJECTED = "rejected/records.parquet"
DRAFT = ".draft-"


class StoredStage:
    """A complete stage on disk, read lazily.

    Attributes:
        key: which stage it is.
        folder: where its files lie: the stage's own folder, or that of a draft.
        manifest: facts that were stored with it (see ``StageDraft.finish``).
    """

    def __init__(self, key: StageKey, folder: Path) -> None:
        """Open a stored stage.

        Raises:
            OutOfReachError: it cannot be read.
            UserError: it is missing or damaged.
        """
        self.key = key
        self.folder = folder
        if not is_there(self.path):
            raise UserError(f"{key} has not been made yet (no {self.path}): materialize it first")
        with self._explained(self.path):
            self.manifest: dict[str, Any] = manifest_of(self.path)

    @property
    def path(self) -> Path:
        """The file of the records that the next stage reads."""
        return self.folder / RECORDS

    @property
    def rejected_path(self) -> Path:
        """The file of the discarded texts."""
        return self.folder / REJECTED

    @property
    def current_path(self) -> Path:
        """The file of the records under the name that it has, or will have, once it is current."""
        draft = self.folder.name.startswith(DRAFT)
        return (self.folder.parent if draft else self.folder) / RECORDS

    @property
    def fingerprint(self) -> str:
        """Digest of everything that the stage was made from: inputs, settings, adapter, code."""
        return self.manifest["fingerprint"]

    @property
    def content_hash(self) -> str:
        """Digest of the records that flow on; equal content, equal hash."""
        return self.manifest["content_hash"]

    def __len__(self) -> int:
        return self.manifest["flowing_on"]

    @overload
    def records(self) -> Iterator[Record]: ...
    @overload
    def records(self, kind: type[_RecordType]) -> Iterator[_RecordType]: ...
    def records(self, kind: type[Record] = Record) -> Iterator[Record]:
        """The records in the stage's order, some megabytes of text in memory at a time.

        Args:
            kind: the kind that they are known to be of.

        Raises:
            UserError: the file is damaged, or its records are of another kind.
        """
        for record in self._read(self.path):
            if not isinstance(record, kind):
                raise UserError(f"{self.path}: these are no records of {kind.__name__}")
            yield record

    def rejected(self) -> Iterator[Record]:
        """The texts that were discarded on the way, read like the records."""
        return self._read(self.rejected_path) if self.rejected_path.exists() else iter(())

    def _read(self, path: Path) -> Iterator[Record]:
        with self._explained(path), opened(path) as file:
            kind = kind_of(file.schema_arrow.names)
            for group in range(file.num_row_groups):
                for row in file.read_row_group(group).to_pylist():
                    yield kind.from_row(row)

    def at(self, positions: list[int]) -> list[Record]:
        """The records at these places of the stage's order, without reading the others' texts.

        Raises:
            UserError: the file is damaged.
        """
        with self._explained(self.path), opened(self.path) as file:
            kind, rows = kind_of(file.schema_arrow.names), rows_at(file, positions)
            return [kind.from_row(rows[position]) for position in positions]

    def verify(self) -> None:
        """Read both files to their ends, and see that they were written together.

        Raises:
            OutOfReachError: a file cannot be read.
            UserError: one is damaged or gone, or they belong to different attempts at this stage.
        """
        _read_through(self.path, self._explained(self.path))
        if self.rejected_path.exists() or self.manifest["rejected"]:
            _read_through(self.rejected_path, self._explained(self.rejected_path))
            with self._explained(self.rejected_path):
                if manifest_of(self.rejected_path) != self.manifest:
                    raise ValueError("a later attempt was killed when its first file was in place")

    def pick(self, record_ids: set[str]) -> list[Record]:
        """The records with these ids, whether they flow on or were rejected.

        Raises:
            UserError: a file is damaged.
        """
        found: list[Record] = []
        for path in (self.path, self.rejected_path):
            if path.exists():
                with self._explained(path), opened(path) as file:
                    ids = file.read(columns=["record_id"])["record_id"]
                    asked_for = compute.SetLookupOptions(pa.array(sorted(record_ids), ids.type))
                    wanted = compute.call_function("is_in", [ids], asked_for)
                    places = compute.call_function("indices_nonzero", [wanted]).to_pylist()
                    kind = kind_of(file.schema_arrow.names)
                    found += map(kind.from_row, rows_at(file, places).values())
        return found

    def column(self, name: str) -> list[Any]:
        """One column of the records, in order.

        Raises:
            UserError: the file is damaged.
        """
        with self._explained(self.path), opened(self.path) as file:
            return file.read(columns=[name])[name].to_pylist()

    def table(self, columns: list[str]) -> pa.Table:
        """These columns of the records and of the discarded texts.

        Raises:
            UserError: a file is damaged.
        """
        paths = [path for path in (self.path, self.rejected_path) if path.exists()]
        parts = []
        for path in paths:
            with self._explained(path), opened(path) as file:
                parts.append(file.read(columns=columns).select(columns))
        return pa.concat_tables(parts)

    def _explained(self, path: Path) -> AbstractContextManager[None]:
        return damage_explained(path, f"materialize {self.key} again", (pa.ArrowException,))


def _read_through(path: Path, explained: AbstractContextManager[None]) -> None:
    with explained, opened(path) as file:
        for group in range(file.num_row_groups):
            file.read_row_group(group)
