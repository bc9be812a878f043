"""The data folder: all stored stages, and how one is written."""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from sl_dagster import durable
from sl_dagster.disk_errors import damage_passed_over, disk_errors_explained, is_there
from sl_dagster.errors import UserError
from sl_dagster.method.plain_text import REPLACEMENT
from sl_dagster.resources.records import Record
from sl_dagster.resources.storage.journal import Journal
from sl_dagster.resources.storage.records_file import RecordsFile
from sl_dagster.resources.storage.stage_key import MODEL, StageKey
from sl_dagster.resources.storage.stored_stage import DRAFT, RECORDS, REJECTED, StoredStage

_log = logging.getLogger(__name__)


class StageDraft:
    """A stage being written: Parquet files in a folder that nobody reads until it is current."""

    def __init__(self, key: StageKey, folder: Path, fingerprint: str, kind: type[Record]) -> None:
        self.key = key
        self.folder = folder
        (self.folder / REJECTED).parent.mkdir(parents=True, exist_ok=True)
        self._fingerprint = fingerprint
        self._flowing_on = RecordsFile(self.folder / RECORDS, kind.schema)
        self._rejected = RecordsFile(self.folder / REJECTED, kind.schema)
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
        return is_there(self.folder(key) / RECORDS)

    def complete(self, experiment: str | None = None) -> list[StageKey]:
        """All complete stages, of one experiment or of all."""
        root = Path(self.data_dir)
        found = sorted([*root.glob(f"*/*/{RECORDS}"), *root.glob(f"*/*/iteration=*/{RECORDS}")])
        found += sorted(root.glob(f"*/*{MODEL}*/{RECORDS}"))
        keys = [StageKey.at(path.parent.relative_to(root)) for path in found]
        return [key for key in keys if key and experiment in (None, key.experiment)]

    def find(
        self, key: StageKey, fingerprint: str, warn: Callable[[str], object] = _log.warning
    ) -> StoredStage | None:
        """A complete, undamaged stage made with this fingerprint, if there is one.

        Args:
            key: what is looked for.
            fingerprint: digest of all that it is to be made from.
            warn: is told what is damaged.

        Raises:
            OutOfReachError: its files cannot be read, which does not say that there is none.
        """
        if self.has(key):
            with damage_passed_over(warn):
                stored = self.read(key)
                if stored.fingerprint == fingerprint:
                    stored.verify()
                    return stored
        return None

    def journal(self, key: StageKey, fingerprint: str, kind: type[Record]) -> Journal:
        """The journal of an incomplete stage, continued if an earlier run left one.

        Raises:
            UserError: the disk is full, or nothing can be written there.
        """
        path = self.folder(key) / f"journal-{fingerprint}.jsonl"
        with disk_errors_explained(f"{key}: cannot write {path}"):
            return Journal(path, kind)

    @contextmanager
    def draft(self, key: StageKey, fingerprint: str, kind: type[Record]) -> Iterator[StageDraft]:
        """Write a stage; what was written is removed again if the block fails.

        Raises:
            UserError: the disk is full, or nothing can be written there; the stage's earlier
                content is as it was.
        """
        folder = self.folder(key) / f"{DRAFT}{os.getpid()}"
        try:
            with disk_errors_explained(f"{key}: cannot write {folder}"):
                yield StageDraft(key, folder, fingerprint, kind)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
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
            (folder / REJECTED).parent.mkdir(exist_ok=True)
            durable.replace(draft.rejected_path, folder / REJECTED)
            durable.replace(draft.path, folder / RECORDS)
        for leftover in [*folder.glob(f"{DRAFT}*"), *folder.glob(journals)]:
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        return self.read(draft.key)
