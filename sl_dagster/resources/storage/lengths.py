"""The lengths database: what every stage's records measure, and what they were made from.

One DuckDB file beside the data. Its tables can always be rebuilt from the Parquet files; they exist
so that lengths and lineage are one SQL query away. Transactions are short, because DuckDB lets one
process write at a time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dagster_duckdb import DuckDBResource

from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.storage.stage_store import StageKey, StoredStage

DATABASE_FILE = "lengths.duckdb"

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
_FROM_FILES = "read_parquet(?, union_by_name = true)"


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

    def replace_stage(self, stage: StoredStage) -> None:
        """Make the database agree with a stored stage, replacing the rows of its earlier run."""
        files = [str(path) for path in (stage.path, stage.rejected_path) if path.exists()]
        where = (stage.key.experiment, stage.key.iteration or 0, stage.key.name)
        with self._connection() as connection, _transaction(connection):
            self._forget(connection, where)
            connection.execute(
                f"""INSERT INTO record_lengths
                SELECT experiment, iteration, stage, record_id, words, characters, tokens, kept,
                    drop_reason
                FROM {_FROM_FILES}""",
                [files],
            )
            connection.execute(
                f"""INSERT INTO record_parents
                SELECT experiment, iteration, stage, record_id, unnest(parents)
                FROM {_FROM_FILES}""",
                [files],
            )

    def remember_adapter(self, experiment: str, adapter: Adapter) -> None:
        """Note where an adapter comes from, so that records can be traced to it."""
        with self._connection() as connection, _transaction(connection):
            key = (experiment, adapter.iteration, adapter.role, adapter.fingerprint)
            connection.execute(
                """DELETE FROM adapters
                WHERE experiment = ? AND iteration = ? AND role = ? AND fingerprint = ?""",
                key,
            )
            connection.execute("INSERT INTO adapters VALUES (?, ?, ?, ?)", key)

    def stats(self, experiment: str | None = None) -> list[dict[str, Any]]:
        """The rows of ``length_stats``, of one experiment or of all."""
        return self._rows(
            "SELECT * FROM length_stats WHERE ? IN ('', experiment) ORDER BY ALL",
            [experiment or ""],
        )

    def counts(self, stage: StoredStage) -> tuple[dict[str, int], dict[str, int]]:
        """Records, kept records and words of a stage: in its files, and in the database."""
        files = [str(path) for path in (stage.path, stage.rejected_path) if path.exists()]
        key = stage.key
        [in_files] = self._rows(f"SELECT {_COUNTS} FROM {_FROM_FILES}", [files])
        [in_database] = self._rows(
            f"""SELECT {_COUNTS} FROM record_lengths
            WHERE experiment = ? AND iteration = ? AND stage = ?""",
            [key.experiment, key.iteration or 0, key.stage],
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

    def _rows(self, query: str, parameters: list[Any]) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        with self._connection() as connection:
            result = connection.execute(query, parameters)
            names = [column[0] for column in result.description or []]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    @contextmanager
    def _connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with DuckDBResource(database=str(self.path)).get_connection() as connection:
            connection.execute(_SCHEMA)
            yield connection

    @staticmethod
    def _forget(connection: duckdb.DuckDBPyConnection, where: tuple[str, int, str]) -> None:
        for table in ("record_lengths", "record_parents"):
            connection.execute(
                f"DELETE FROM {table} WHERE experiment = ? AND iteration = ? AND stage = ?", where
            )


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
