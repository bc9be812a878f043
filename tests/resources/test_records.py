"""The kinds of records: what is written of them is read again as what it was."""

import json
from pathlib import Path
from typing import Any

import pytest

from sl_dagster.errors import UserError
from sl_dagster.resources.records import (
    AlignedExample,
    Example,
    Judgement,
    Pair,
    Record,
    Score,
    Text,
    kind_of,
)
from sl_dagster.resources.storage.journal import Journal
from sl_dagster.resources.storage.stage_key import StageKey
from tests.stored_stages import made_up, store

KEY = StageKey("e", "stage", 1)
KINDS = (Text, Score, Judgement, Example, AlignedExample, Pair)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_comes_back_from_its_row(kind: type[Record], tmp_path: Path) -> None:
    record = made_up(kind, KEY, parents=("a", "b"), kept=False, drop_reason="repetition")
    assert list(record.as_row()) == kind.schema.names
    assert kind.from_row(json.loads(json.dumps(record.as_row()))) == record
    [stored] = store(tmp_path, KEY, [record]).records(kind)
    assert stored == record
    assert (stored.words, stored.characters) == (record.words, len(record.written))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_read_as_the_kind_that_it_holds(kind: type[Record]) -> None:
    assert kind_of(kind.schema.names) is kind


def test_a_file_of_an_earlier_version_may_lack_columns() -> None:
    later = ("mentions", "missing_mentions", "commentary")
    without = [name for name in Text.schema.names if name not in later]
    assert kind_of(without) is Text
    row = made_up(Text, KEY, mentions=("door",)).as_row()
    assert Text.from_row({name: row[name] for name in without}) == made_up(Text, KEY)
    with pytest.raises(ValueError, match="has the columns text, colour"):
        kind_of(["text", "colour"])


def test_what_was_cut_off_comes_back(tmp_path: Path) -> None:
    cut = {"before": "Here it is:", "after": ""}
    rows = [made_up(Text, KEY, 0, commentary=cut), made_up(Text, KEY, 1)]
    assert [one.commentary for one in store(tmp_path, KEY, rows).records(Text)] == [cut, None]


def test_records_of_another_kind_are_refused(tmp_path: Path) -> None:
    stored = store(tmp_path, KEY, [made_up(Pair, KEY)])
    with pytest.raises(UserError, match=r"records.parquet: these are no records of Text"):
        list(stored.records(Text))


def test_a_journal_line_with_the_columns_of_all_kinds_is_read(tmp_path: Path) -> None:
    """So earlier versions wrote them, those of other kinds being null."""
    row: dict[str, Any] = {name: None for kind in KINDS for name in kind.schema.names}
    record = made_up(Text, KEY, parents=("a",), mentions=("door",))
    path = tmp_path / "journal.jsonl"
    path.write_text(json.dumps(["slot", [row | record.as_row()]]) + "\n")
    assert Journal(path, Text).read("slot") == [record]
