"""The lengths database: what every stage's records measure, and what they were made from.

One DuckDB file beside the data. Its tables can always be rebuilt from the Parquet files; they exist
so that lengths and lineage are one SQL query away. Nobody needs the file to go on: where it is
open in another program, damaged or behind, readers take the same tables from the Parquet files, and
what a writer could not add is noted (``pending.py``) and added by the next one.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa

from sl_dagster.errors import UserError
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.lengths_file import (
    LengthsUnavailableError,
    open_for_reading,
    open_for_writing,
)
from sl_dagster.resources.storage.pending import KnownAdapter, Pending
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage

DATABASE_FILE = "lengths.duckdb"
_DAMAGED = ".damaged"  # what such a file is renamed to
_log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record_lengths (
    experiment VARCHAR NOT NULL,
    iteration INTEGER NOT NULL,   -- 0: before the first iteration
    stage VARCHAR NOT NULL,       -- the asset's name, and the model if it measures one
    record_id VARCHAR NOT NULL,
    words BIGINT NOT NULL,
    characters BIGINT NOT NULL,
    tokens BIGINT,                -- NULL: not written by a model
    kept BOOLEAN NOT NULL,
    drop_reason VARCHAR
);
CREATE TABLE IF NOT EXISTS record_parents (
    experiment VARCHAR NOT NULL,
    iteration INTEGER NOT NULL,
    stage VARCHAR NOT NULL,
    record_id VARCHAR NOT NULL,
    parent_id VARCHAR NOT NULL
);
CREATE TABLE IF NOT EXISTS adapters (
    experiment VARCHAR NOT NULL,
    iteration INTEGER NOT NULL,   -- 0: the base model
    role VARCHAR NOT NULL,
    fingerprint VARCHAR NOT NULL
);
CREATE VIEW IF NOT EXISTS length_stats AS
SELECT
    experiment, iteration, stage,
    count(*) AS records,
    count(*) FILTER (kept) AS kept,
    avg(words) FILTER (kept) AS mean,
    quantile_cont(words, 0.1) FILTER (kept) AS p10,
    quantile_cont(words, 0.5) FILTER (kept) AS p50,
    quantile_cont(words, 0.9) FILTER (kept) AS p90,
    max(words) FILTER (kept) AS max
FROM record_lengths
GROUP BY experiment, iteration, stage;
"""

STATS_COLUMNS: tuple[str, ...] = (
    "experiment", "iteration", "stage", "records", "kept", "mean", "p10", "p50", "p90", "max",
)  # fmt: skip
_COUNTS = """
    count(*) AS records,
    count(*) FILTER (kept) AS kept,
    coalesce(sum(words), 0)::BIGINT AS words
"""
_COLUMNS = ["record_id", "words", "characters", "tokens", "kept", "drop_reason", "parents"]


class LengthsDatabase(dg.ConfigurableResource):
    """Table ``record_lengths``, its lineage in ``record_parents``, and view ``length_stats``.

    Attributes:
        data_dir: the data folder, which holds the database.
    """

    data_dir: str

    @property
    def path(self) -> Path:
        """The database file."""
        return Path(self.data_dir) / DATABASE_FILE

    def expect(self, what: StageKey | KnownAdapter) -> None:
        """Note what is about to be stored; from then on ``catch_up`` adds it, whoever calls it."""
        self._pending.note(what)

    def catch_up(self) -> None:
        """Make the database agree with what is stored, as far as it is known to be behind.

        Raises:
            LengthsUnavailableError: it is open elsewhere, or damaged. Nothing is lost by that.
        """
        notes = self._pending.read()
        if self.path.exists() and not notes:
            return
        with open_for_writing(self.path) as connection:
            # A new file is filled with everything; so is one of which a note was lost.
            if _is_new(connection) or None in notes.values():
                self._fill(connection)
            connection.execute(_SCHEMA)
            for what in dict.fromkeys(notes.values()):
                if isinstance(what, StageKey):
                    self._replace_stage(connection, what)
                elif what:
                    _add_adapter(connection, what)
        self._pending.settle(list(notes))

    def rebuild(self) -> None:
        """Make all tables anew from the stored files; a damaged database is put aside.

        What else the file holds stays, and so do adapters that have been replaced since then.

        Raises:
            LengthsUnavailableError: it is open elsewhere.
        """
        try:
            self._rebuild()
        except LengthsUnavailableError as error:
            if not error.damaged:
                raise
            aside = self.path.with_name(self.path.name + _DAMAGED)
            _log.warning("%s; it is kept as %s", error, aside)
            self.path.replace(aside)
            self.path.with_name(self.path.name + ".wal").unlink(missing_ok=True)
            self._rebuild()

    def _rebuild(self) -> None:
        notes = self._pending.read()
        with open_for_writing(self.path) as connection:
            self._fill(connection)
            for what in notes.values():
                if isinstance(what, KnownAdapter):
                    _add_adapter(connection, what)
        self._pending.settle(list(notes))

    def stats(self, experiment: str | None = None) -> list[dict[str, Any]]:
        """The rows of ``length_stats``, of one experiment or of all."""
        return self._rows(
            "SELECT * FROM length_stats WHERE ? IN ('', experiment) ORDER BY ALL",
            [experiment or ""],
        )

    def counts(self, stage: StoredStage) -> tuple[dict[str, int], dict[str, int]]:
        """Records, kept records and words of a stage: in its files, and in the database.

        Raises:
            UserError: the stage is damaged.
            LengthsUnavailableError: the database cannot be asked.
        """
        self.catch_up()
        stored = stage.table(_COLUMNS)
        with duckdb.connect() as memory:
            memory.register("stored", stored)
            [in_files] = _fetched(memory, f"SELECT {_COUNTS} FROM stored", [])
        with open_for_reading(self.path) as connection:
            [in_database] = _fetched(
                connection,
                f"""SELECT {_COUNTS} FROM record_lengths
                WHERE experiment = ? AND iteration = ? AND stage = ?""",
                _place(stage.key),
            )
        return in_files, in_database

    def locate(self, record_id: str) -> StageKey | None:
        """The stage and iteration in which a record stands."""
        return self.locate_all([record_id]).get(record_id)

    def locate_all(self, record_ids: list[str]) -> dict[str, StageKey]:
        """The stages and iterations in which records stand; unknown ids are left out."""
        rows = self._rows(
            """SELECT record_id, experiment, stage, iteration FROM record_lengths
            WHERE record_id IN (SELECT unnest(?))""",
            [record_ids],
        )
        return {
            row["record_id"]: StageKey.from_name(
                row["experiment"], row["stage"], row["iteration"] or None
            )
            for row in rows
        }

    def ancestry(self, record_id: str) -> list[tuple[str, str]]:
        """All (record, parent) pairs on the way from a record to where it all began."""
        rows = self._rows(
            """WITH RECURSIVE above(record_id, parent_id) AS (
                SELECT record_id, parent_id FROM record_parents WHERE record_id = ?
                UNION
                SELECT p.record_id, p.parent_id
                FROM record_parents p JOIN above a ON p.record_id = a.parent_id
            ) SELECT * FROM above""",
            [record_id],
        )
        return [(row["record_id"], row["parent_id"]) for row in rows]

    def descent(self, record_id: str) -> list[dict[str, Any]]:
        """All records of the same iteration that go back to this one.

        Returns:
            ``record_id``, ``parent_id``, ``stage``, ``words`` and ``kept`` of each.
        """
        return self._rows(
            """WITH RECURSIVE home AS (
                SELECT experiment, iteration FROM record_lengths WHERE record_id = ? LIMIT 1
            ), relations AS (
                SELECT p.record_id, p.parent_id, l.stage, l.words, l.kept
                FROM record_parents p JOIN home USING (experiment, iteration)
                JOIN record_lengths l USING (experiment, iteration, stage, record_id)
            ), below AS (
                SELECT * FROM relations WHERE parent_id = ?
                UNION
                SELECT r.* FROM relations r JOIN below b ON r.parent_id = b.record_id
            ) SELECT * FROM below""",
            [record_id, record_id],
        )

    def relatives(self, record_ids: list[str]) -> list[str]:
        """Ids of other attempts at these records, and of what else their parents became."""
        rows = self._rows(
            """WITH line AS (
                SELECT split_part(unnest(?), '.', 1) AS slot
            ), parents AS (
                SELECT p.parent_id FROM record_parents p SEMI JOIN line ON p.record_id = slot
                WHERE p.stage <> 'instructions'
            )
            SELECT l.record_id FROM record_lengths l
            SEMI JOIN line ON split_part(l.record_id, '.', 1) = slot
            UNION
            SELECT p.record_id FROM record_parents p SEMI JOIN parents USING (parent_id)
            WHERE p.stage <> 'instructions'""",
            [record_ids],
        )
        return [row["record_id"] for row in rows]

    def adapters(self) -> dict[str, dict[str, Any]]:
        """Every adapter that has been noted, by fingerprint."""
        return {row["fingerprint"]: row for row in self._rows("SELECT * FROM adapters", [])}

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Keep the database open for what is asked meanwhile; opening it takes longer than most."""
        with ExitStack() as stack:
            if self.path.is_file():
                with suppress(LengthsUnavailableError):  # each question says so itself
                    stack.enter_context(open_for_reading(self.path))
            yield

    def _rows(self, query: str, parameters: list[Any]) -> list[dict[str, Any]]:
        if self.path.is_file() and not self._pending:
            try:
                with open_for_reading(self.path) as connection:
                    return _fetched(connection, query, parameters)
            except LengthsUnavailableError as error:
                _log.warning("%s. Until then the Parquet files are read instead.", error)
        with duckdb.connect() as memory:
            self._fill(memory)
            return _fetched(memory, query, parameters)

    def _fill(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Put everything that is stored into the tables, in place of what they held of it."""
        connection.execute(_SCHEMA)
        connection.execute("DELETE FROM record_lengths; DELETE FROM record_parents")
        for key in self._stages.complete():
            if (rows := self._rows_of(key)) is not None:
                _insert_stage(connection, key, rows)
        for known in self._known_adapters():
            _add_adapter(connection, known)

    def _replace_stage(self, connection: duckdb.DuckDBPyConnection, key: StageKey) -> None:
        rows = self._rows_of(key)
        if rows is None:
            return  # what is known of a damaged stage stays known
        for table in ("record_lengths", "record_parents"):
            connection.execute(
                f"DELETE FROM {table} WHERE experiment = ? AND iteration = ? AND stage = ?",
                _place(key),
            )
        _insert_stage(connection, key, rows)

    def _rows_of(self, key: StageKey) -> pa.Table | None:
        """What the database holds of a stage; None if its files cannot be read."""
        try:
            return self._stages.read(key).table(_COLUMNS)
        except UserError as error:
            _log.warning("%s. The lengths database leaves it out.", error)
            return None

    def _known_adapters(self) -> list[KnownAdapter]:
        store = AdapterStore(data_dir=self.data_dir)
        found = []
        for folder in sorted(Path(self.data_dir).glob("*/")):
            for key in store.complete(folder.name):
                try:
                    adapter = store.read(key).adapter
                except UserError as error:
                    _log.warning("%s", error)
                    continue
                found.append(
                    KnownAdapter(
                        key.experiment, adapter.iteration, adapter.role, adapter.fingerprint
                    )
                )
        return found

    @property
    def _pending(self) -> Pending:
        return Pending(Path(self.data_dir))

    @property
    def _stages(self) -> StageStore:
        return StageStore(data_dir=self.data_dir)


def _is_new(connection: duckdb.DuckDBPyConnection) -> bool:
    tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    return ("record_lengths",) not in tables


def _insert_stage(connection: duckdb.DuckDBPyConnection, key: StageKey, rows: pa.Table) -> None:
    """Add a stage under the name of its folder: what its records say is that of the original, if it
    is a copy."""
    connection.register("stored", rows)
    connection.execute(
        """INSERT INTO record_lengths
        SELECT ?, ?, ?, record_id, words, characters, tokens, kept, drop_reason FROM stored""",
        _place(key),
    )
    connection.execute(
        "INSERT INTO record_parents SELECT ?, ?, ?, record_id, unnest(parents) FROM stored",
        _place(key),
    )
    connection.unregister("stored")


def _add_adapter(connection: duckdb.DuckDBPyConnection, adapter: KnownAdapter) -> None:
    connection.execute(
        "INSERT INTO adapters SELECT $1, $2, $3, $4 WHERE NOT EXISTS (FROM adapters WHERE "
        "experiment = $1 AND iteration = $2 AND role = $3 AND fingerprint = $4)",
        [adapter.experiment, adapter.iteration, adapter.role, adapter.fingerprint],
    )


def _place(key: StageKey) -> list[Any]:
    return [key.experiment, key.iteration or 0, key.name]


def _fetched(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: list[Any]
) -> list[dict[str, Any]]:
    result = connection.execute(query, parameters)
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
