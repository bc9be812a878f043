"""Stored stages: how a stage's records become Parquet files, and how they are read back.

A stage's folder, ``<data>/<experiment>/<stage>/iteration=<i>/`` (or ``model=<m>/``), holds

- ``records.parquet``: the records that the next stage reads. Its appearance completes the stage;
  facts about the run (counts, lengths, fingerprint) stand in the file's own metadata.
- ``rejected/records.parquet``: every text that was discarded on the way, with the reason.
- ``journal-<fingerprint>.jsonl``: only while the stage is incomplete.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, overload

import dagster as dg
import pyarrow as pa
from pyarrow import compute

from sl_dagster import durable
from sl_dagster.errors import UserError
from sl_dagster.method.plain_text import REPLACEMENT
from sl_dagster.resources.records import Record, kind_of
from sl_dagster.resources.storage.journal import Journal
from sl_dagster.resources.storage.records_file import RecordsFile, manifest_of, opened, rows_at

_RecordType = TypeVar("_RecordType", bound=Record)

_RECORDS = "records.parquet"
_REJECTED = "rejected/records.parquet"
_DRAFT = ".draft-"
_MODEL = "/model="
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR)


@dataclass(frozen=True)
class StageKey:
    """Which stage of which iteration or of which model.

    Attributes:
        experiment: name of the experiment.
        stage: the name of the asset.
        iteration: None for a stage that stands outside the loop.
        model: of a stage that measures models, which of them; None for all others.
    """

    experiment: str
    stage: str
    iteration: int | None
    model: str | None = None

    def __str__(self) -> str:
        where = "" if self.iteration is None else f" of iteration {self.iteration}"
        where = where if self.model is None else f" of model {self.model}"
        return f"{self.experiment}/{self.stage}{where}"

    @classmethod
    def from_name(cls, experiment: str, name: str, iteration: int | None) -> "StageKey":
        """The inverse of ``name``."""
        stage, _, model = name.partition(_MODEL)
        return cls(experiment, stage, iteration, model or None)

    @property
    def name(self) -> str:
        """What records and tables call the stage: the asset's name, and the model if it has one."""
        return self.stage if self.model is None else f"{self.stage}{_MODEL}{self.model}"

    @property
    def folder(self) -> Path:
        """The stage's folder, relative to the data folder."""
        folder = Path(self.experiment) / self.name
        return folder if self.iteration is None else folder / f"iteration={self.iteration}"


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
            UserError: it is missing or damaged.
        """
        self.key = key
        self.folder = folder
        if not self.path.is_file():
            raise UserError(f"{key} has not been made yet (no {self.path}): materialize it first")
        with self._explained():
            self.manifest: dict[str, Any] = manifest_of(self.path)

    @property
    def path(self) -> Path:
        """The file of the records that the next stage reads."""
        return self.folder / _RECORDS

    @property
    def rejected_path(self) -> Path:
        """The file of the discarded texts."""
        return self.folder / _REJECTED

    @property
    def current_path(self) -> Path:
        """The file of the records under the name that it has, or will have, once it is current."""
        draft = self.folder.name.startswith(_DRAFT)
        return (self.folder.parent if draft else self.folder) / _RECORDS

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
        with self._explained(), opened(path) as file:
            kind = kind_of(file.schema_arrow.names)
            for group in range(file.num_row_groups):
                for row in file.read_row_group(group).to_pylist():
                    yield kind.from_row(row)

    def at(self, positions: list[int]) -> list[Record]:
        """The records at these places of the stage's order, without reading the others' texts.

        Raises:
            UserError: the file is damaged.
        """
        with self._explained(), opened(self.path) as file:
            kind, rows = kind_of(file.schema_arrow.names), rows_at(file, positions)
            return [kind.from_row(rows[position]) for position in positions]

    def verify(self) -> None:
        """Read the file to its end, and see that the discarded texts were written with it.

        Raises:
            UserError: it is damaged, or they belong to another attempt at this stage.
        """
        with self._explained(), opened(self.path) as file:
            for group in range(file.num_row_groups):
                file.read_row_group(group)
            rejected = self.rejected_path
            if rejected.exists() and manifest_of(rejected)["fingerprint"] != self.fingerprint:
                raise ValueError("a later attempt was killed when its first file was in place")

    def pick(self, record_ids: set[str]) -> list[Record]:
        """The records with these ids, whether they flow on or were rejected.

        Raises:
            UserError: a file is damaged.
        """
        found: list[Record] = []
        for path in (self.path, self.rejected_path):
            if path.exists():
                with self._explained(), opened(path) as file:
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
        with self._explained(), opened(self.path) as file:
            return file.read(columns=[name])[name].to_pylist()

    def table(self, columns: list[str]) -> pa.Table:
        """These columns of the records and of the discarded texts.

        Raises:
            UserError: a file is damaged.
        """
        paths = [path for path in (self.path, self.rejected_path) if path.exists()]
        parts = []
        for path in paths:
            with self._explained(), opened(path) as file:
                parts.append(file.read(columns=columns).select(columns))
        return pa.concat_tables(parts)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            why = " ".join(str(error).split())
            raise UserError(
                f"{self.path} is damaged ({why}): materialize {self.key} again"
            ) from error


class StageDraft:
    """A stage being written: Parquet files in a folder that nobody reads until it is current."""

    def __init__(self, key: StageKey, folder: Path, fingerprint: str, kind: type[Record]) -> None:
        self.key = key
        self.folder = folder / f"{_DRAFT}{os.getpid()}"
        (self.folder / _REJECTED).parent.mkdir(parents=True, exist_ok=True)
        self._fingerprint = fingerprint
        self._flowing_on = RecordsFile(self.folder / _RECORDS, kind.schema)
        self._rejected = RecordsFile(self.folder / _REJECTED, kind.schema)
        self._replaced = 0
        self._digest = hashlib.sha256()

    def add(self, record: Record) -> None:
        """Add a record that the next stage will read."""
        self._flowing_on.append(record)
        self._replaced += record.written.count(REPLACEMENT)
        self._digest.update(json.dumps(record.content).encode())

    def reject(self, record: Record) -> None:
        """Add a record that goes no further; its ``drop_reason`` says why."""
        self._rejected.append(record)
        self._replaced += record.written.count(REPLACEMENT)

    def finish(self, facts: dict[str, Any]) -> StoredStage:
        """Close the files, with these facts and the draft's own beside the records."""
        manifest = facts | {
            "fingerprint": self._fingerprint,
            "content_hash": self._digest.hexdigest()[:16],
            "flowing_on": self._flowing_on.rows,
            "rejected": self._rejected.rows,
        }
        if self._replaced:
            manifest["replaced_characters"] = self._replaced
        self._rejected.close(manifest)
        self._flowing_on.close(manifest)
        return StoredStage(self.key, self.folder)


class StageStore(dg.ConfigurableResource):
    """All stored stages under one data folder.

    Attributes:
        data_dir: the data folder.
    """

    data_dir: str

    def folder(self, key: StageKey) -> Path:
        """Where a stage lies.

        Raises:
            UserError: that is no place in the data folder, but a path that leads out of it.
        """
        if key.folder.is_absolute() or ".." in key.folder.parts or "\0" in str(key.folder):
            raise UserError(f"{str(key)!r} is no stage: its name is a path that leads elsewhere")
        return Path(self.data_dir) / key.folder

    def read(self, key: StageKey) -> StoredStage:
        """Open a complete stage.

        Raises:
            UserError: it has not been made yet, or is damaged.
        """
        return StoredStage(key, self.folder(key))

    def has(self, key: StageKey) -> bool:
        """Whether a stage is complete, damaged or not."""
        return (self.folder(key) / _RECORDS).is_file()

    def complete(self, experiment: str | None = None) -> list[StageKey]:
        """All complete stages, of one experiment or of all."""
        root = Path(self.data_dir)
        found = [path.relative_to(root).parts for path in root.glob(f"*/*/{_RECORDS}")]
        found += [path.relative_to(root).parts for path in root.glob(f"*/*/iteration=*/{_RECORDS}")]
        keys = [
            StageKey(name, stage, int(rest[0].partition("=")[2]) if len(rest) > 1 else None)
            for name, stage, *rest in sorted(found)
        ]
        for path in sorted(root.glob(f"*/*{_MODEL}*/{_RECORDS}")):
            name, stage, model, _ = path.relative_to(root).parts
            keys.append(StageKey(name, stage, None, model.partition("=")[2]))
        return [key for key in keys if experiment in (None, key.experiment)]

    def find(self, key: StageKey, fingerprint: str) -> StoredStage | None:
        """A complete, undamaged stage made with this fingerprint, if there is one."""
        try:
            stored = self.read(key)
            if stored.fingerprint != fingerprint:
                return None
            stored.verify()
        except UserError:
            return None
        return stored

    def journal(self, key: StageKey, fingerprint: str, kind: type[Record]) -> Journal:
        """The journal of an incomplete stage, continued if an earlier run left one."""
        return Journal(self.folder(key) / f"journal-{fingerprint}.jsonl", kind)

    @contextmanager
    def draft(self, key: StageKey, fingerprint: str, kind: type[Record]) -> Iterator[StageDraft]:
        """Write a stage; what was written is removed again if the block fails.

        Raises:
            UserError: the disk is full; the stage's earlier content is as it was.
        """
        draft = StageDraft(key, self.folder(key), fingerprint, kind)
        try:
            with disk_errors_explained(f"{key}: cannot write {draft.folder}"):
                yield draft
        except BaseException:
            shutil.rmtree(draft.folder, ignore_errors=True)
            raise

    def make_current(self, draft: StoredStage) -> StoredStage:
        """Make a finished draft the stage's content, in place of what was there before.

        The records appear in one atomic rename. A stage that is current already stays as it is; a
        run that was killed behind that rename may have left what is removed here.
        """
        folder, journals = self.folder(draft.key), "journal-*.jsonl"
        if draft.folder == folder:
            # One of other settings may still be gone on with.
            journals = f"journal-{draft.fingerprint}.jsonl"
        else:
            (folder / _REJECTED).parent.mkdir(exist_ok=True)
            durable.replace(draft.rejected_path, folder / _REJECTED)
            durable.replace(draft.path, folder / _RECORDS)
        for leftover in [*folder.glob(f"{_DRAFT}*"), *folder.glob(journals)]:
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        return self.read(draft.key)


@contextmanager
def disk_errors_explained(what: str) -> Iterator[None]:
    """Turn a full disk, a missing permission or a broken file system into a message for the user.

    Args:
        what: what was being written, and what is safe.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise UserError(
                f"{what}: the disk is full ({error.strerror}); free some space and run again"
            ) from error
        if error.errno == errno.EIO or (error.filename and error.errno not in _NOT_WRITABLE):
            where = f": {error.filename}" if error.filename else ""
            raise UserError(
                f"{what}: {error.strerror}{where}; check the disk, or keep the data in another "
                "folder (SL_DAGSTER_DATA)"
            ) from error
        if error.errno in _NOT_WRITABLE:
            raise UserError(
                f"{what}: {error.strerror}: {error.filename}; make it writable, or keep the data "
                "in another folder (SL_DAGSTER_DATA)"
            ) from error
        raise
