"""Finding records in stages: by words, by outcome, by what they were made from."""

import re
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow.parquet as pq

from sl_dagster.errors import UserError
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage

PAGE_SIZE = 50
_SNIPPET = 240
_BEFORE_HIT = 80  # characters of a snippet that stand before the first word that was found


@dataclass(frozen=True)
class Search:
    """Which records are wanted.

    Attributes:
        keys: the stages to look into, in the order in which they are listed; at least one.
        words: each of them stands in the text or its instruction, in upper or lower case.
        kept: only kept ones or only others; None for both.
        reason: only what was dropped for this reason; empty for all.
        parent: only what was made from the record with this id; empty for all.
        page: 1 for the first ``PAGE_SIZE`` of them.
    """

    keys: tuple[StageKey, ...]
    words: str = ""
    kept: bool | None = None
    reason: str = ""
    parent: str = ""
    page: int = 1


@dataclass(frozen=True)
class Hit:
    """A record as a list shows it.

    Attributes:
        key: the stage in which it stands.
        snippet: a part of its text around the first of the words, or the beginning of the text:
            stretches, and whether each of them is one of the words.
        of_instruction: the snippet is from the instruction, because only this has the first word.
    """

    key: StageKey
    record_id: str
    words: int
    kept: bool
    drop_reason: str | None
    snippet: list[tuple[str, bool]]
    of_instruction: bool


@dataclass(frozen=True)
class Found:
    """One page of what was found.

    Attributes:
        hits: in the stages' order, discarded attempts beside the record that they were for.
        total: how many there are on all pages.
        reasons: of all stages searched: how many texts were dropped for which reason.
    """

    hits: list[Hit]
    total: int
    reasons: dict[str, int]

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // PAGE_SIZE))


def search(wanted: Search, stages: StageStore) -> Found:
    """Search the stored records and discarded texts of stages.

    Raises:
        UserError: a stage has not been made yet or is damaged.
    """
    opened = [stages.read(key) for key in wanted.keys]
    texts = " UNION ALL ".join(_texts(place, stage) for place, stage in enumerate(opened))
    files = [_files(stage) for stage in opened]
    where, parameters = _conditions(wanted)
    first, *_ = [*wanted.words.split(), ""]
    offset = (wanted.page - 1) * PAGE_SIZE
    try:
        with duckdb.connect() as connection:

            def rows(query: str, values: list[Any]) -> list[tuple]:
                query = f"WITH texts AS ({texts}) {query}"
                return connection.execute(query, [*files, *values]).fetchall()

            # Texts are long: they are read for the words in them, and then for one page only.
            connection.execute(
                f"""CREATE TABLE found AS WITH texts AS ({texts})
                SELECT place, position, record_id FROM texts WHERE {where}""",
                [*files, *parameters],
            )
            connection.execute(
                f"""CREATE TABLE page AS FROM found
                ORDER BY place, position, record_id LIMIT {PAGE_SIZE} OFFSET {offset}"""
            )
            hits = rows(
                f"""SELECT place, record_id, words, kept, drop_reason,
                    {_snippet("written")}, {_snippet("instruction")},
                    NOT contains(lower(written), lower(?))
                FROM texts SEMI JOIN page USING (place, position, record_id)
                ORDER BY place, position, record_id""",
                [first, first, first],
            )
            [(total,)] = connection.sql("SELECT count(*) FROM found").fetchall()
            reasons = rows(
                "SELECT drop_reason, count(*) FROM texts WHERE drop_reason IS NOT NULL "
                "GROUP BY ALL ORDER BY count(*) DESC, drop_reason",
                [],
            )
    except duckdb.Error as error:
        raise UserError(_why_not(opened, error)) from error
    return Found([_hit(wanted, *row) for row in hits], total, dict(reasons))


def _files(stage: StoredStage) -> list[str]:
    return [str(path) for path in (stage.path, stage.rejected_path) if path.exists()]


def _texts(place: int, stage: StoredStage) -> str:
    """The query for what every stage's records have in common; it takes the stage's files."""
    columns = pq.read_schema(stage.path).names
    written = "text"
    if "completion" in columns:  # of a training example, what is learnt
        written = "completion[-1].content"
    elif "query" in columns:  # of a pair, what answers the query
        written = "response"
    asked = "coalesce(query, instruction)" if "query" in columns else "instruction"
    return (
        f"SELECT {place} AS place, position, record_id, words, kept, drop_reason, parents, "
        f"coalesce({written}, '') AS written, coalesce({asked}, '') AS instruction "
        "FROM read_parquet(?, union_by_name = true)"
    )


def _snippet(column: str) -> str:
    """The part of a text around a word; it takes the word."""
    start = f"greatest(1, instr(lower({column}), lower(?)) - {_BEFORE_HIT})"
    return f"substring({column}, {start}, {_SNIPPET})"


def _hit(wanted: Search, place: int, *row: Any) -> Hit:
    record_id, words, kept, drop_reason, written, instruction, elsewhere = row
    snippet = instruction if elsewhere else written
    return Hit(
        wanted.keys[place],
        record_id,
        words,
        kept,
        drop_reason,
        _marked(snippet, wanted.words.split()),
        elsewhere,
    )


def _marked(text: str, words: list[str]) -> list[tuple[str, bool]]:
    if not words:
        return [(text, False)]
    longest_first = sorted(words, key=len, reverse=True)
    pattern = "|".join(map(re.escape, longest_first))
    parts = re.split(f"({pattern})", text, flags=re.IGNORECASE)
    return [(part, place % 2 == 1) for place, part in enumerate(parts) if part]


def _conditions(wanted: Search) -> tuple[str, list[Any]]:
    conditions, parameters = ["true"], []
    for word in wanted.words.split():
        # Half of the time that lower() and contains() take.
        conditions.append(
            "(regexp_matches(written, regexp_escape(?), 'i')"
            " OR regexp_matches(instruction, regexp_escape(?), 'i'))"
        )
        parameters += [word, word]
    if wanted.kept is not None:
        conditions.append("kept" if wanted.kept else "NOT kept")
    if wanted.reason:
        conditions.append("drop_reason = ?")
        parameters.append(wanted.reason)
    if wanted.parent:
        conditions.append("list_contains(parents, ?)")
        parameters.append(wanted.parent)
    return " AND ".join(conditions), parameters


def _why_not(stages: list[StoredStage], error: duckdb.Error) -> str:
    """Names the stage that is damaged; a file of records is read to its end to find it."""
    for stage in stages:
        try:
            stage.verify()
        except UserError as damage:
            return str(damage)
    names = ", ".join(str(stage.key) for stage in stages)
    return f"{names}: cannot be searched ({error}): materialize again"
