"""Finding records in a stage: by words, by outcome, by what they were made from."""

from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow.parquet as pq

from sl_dagster.errors import UserError
from sl_dagster.resources.storage.stage_store import StageKey, StageStore

PAGE_SIZE = 50
_SNIPPET = 240


@dataclass(frozen=True)
class Search:
    """Which records of a stage are wanted.

    Attributes:
        key: the stage.
        words: each of them stands in the text or its instruction, in upper or lower case.
        kept: only kept ones or only others; None for both.
        reason: only what was dropped for this reason; empty for all.
        parent: only what was made from the record with this id; empty for all.
        page: 1 for the first ``PAGE_SIZE`` of them.
    """

    key: StageKey
    words: str = ""
    kept: bool | None = None
    reason: str = ""
    parent: str = ""
    page: int = 1


@dataclass(frozen=True)
class Hit:
    """A record as a list shows it; ``snippet`` is the beginning of its text."""

    record_id: str
    words: int
    kept: bool
    drop_reason: str | None
    attempt: int | None
    snippet: str


@dataclass(frozen=True)
class Found:
    """One page of what was found.

    Attributes:
        hits: in the stage's order, discarded attempts beside the record that they were for.
        total: how many there are on all pages.
        reasons: of the whole stage: how many texts were dropped for which reason.
    """

    hits: list[Hit]
    total: int
    reasons: dict[str, int]

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // PAGE_SIZE))


def search(wanted: Search, stages: StageStore) -> Found:
    """Search the stored records and discarded texts of a stage.

    Raises:
        UserError: the stage has not been made yet or is damaged.
    """
    stage = stages.read(wanted.key)
    files = [str(path) for path in (stage.path, stage.rejected_path) if path.exists()]
    # Training examples are chats: what counts is the answer.
    chats = "completion" in pq.read_schema(stage.path).names
    text = "completion[-1].content" if chats else "text"
    where, parameters = _conditions(wanted, text)
    source = "read_parquet(?, union_by_name = true)"
    columns = (
        f"record_id, words, kept, drop_reason, attempt, left(coalesce({text}, ''), {_SNIPPET})"
    )
    offset = (wanted.page - 1) * PAGE_SIZE
    try:
        with duckdb.connect() as connection:

            def rows(query: str, values: list[Any]) -> list[tuple]:
                return connection.execute(query, [files, *values]).fetchall()

            hits = rows(
                f"SELECT {columns} FROM {source} WHERE {where} "
                f"ORDER BY position, record_id LIMIT {PAGE_SIZE} OFFSET {offset}",
                parameters,
            )
            ((total,),) = rows(f"SELECT count(*) FROM {source} WHERE {where}", parameters)
            reasons = rows(
                f"SELECT drop_reason, count(*) FROM {source} WHERE drop_reason IS NOT NULL "
                "GROUP BY ALL ORDER BY count(*) DESC, drop_reason",
                [],
            )
    except duckdb.Error as error:
        raise UserError(
            f"{stage.path} cannot be searched ({error}): materialize {stage.key} again"
        ) from error
    return Found([Hit(*row) for row in hits], total, dict(reasons))


def _conditions(wanted: Search, text: str) -> tuple[str, list[Any]]:
    conditions, parameters = ["true"], []
    for word in wanted.words.split():
        conditions.append(f"contains(lower(concat_ws(' ', instruction, {text})), lower(?))")
        parameters.append(word)
    if wanted.kept is not None:
        conditions.append("kept" if wanted.kept else "NOT kept")
    if wanted.reason:
        conditions.append("drop_reason = ?")
        parameters.append(wanted.reason)
    if wanted.parent:
        conditions.append("list_contains(parents, ?)")
        parameters.append(wanted.parent)
    return " AND ".join(conditions), parameters
