"""The lengths database agrees with the stages."""

from pathlib import Path

import duckdb
import pytest

from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.records import TEXT_SCHEMA
from sl_dagster.resources.storage.lengths import STATS_COLUMNS, LengthsDatabase
from sl_dagster.resources.storage.stage_store import StageKey, StageStore
from tests.resources.storage.test_stage_store import KEY, draft


@pytest.fixture
def store(tmp_path: Path) -> StageStore:
    return StageStore(data_dir=str(tmp_path))


@pytest.fixture
def lengths(tmp_path: Path) -> LengthsDatabase:
    return LengthsDatabase(data_dir=str(tmp_path))


def test_a_stage_replaces_its_own_rows_only(store: StageStore, lengths: LengthsDatabase) -> None:
    lengths.replace_stage(store.publish(draft(store, {"a": "One two.", "b": "One."})))
    other = StageKey("e", "instructions", None)
    with store.draft(other, "f", TEXT_SCHEMA) as writing:
        lengths.replace_stage(store.publish(writing.finish({})))
    lengths.replace_stage(store.publish(draft(store, {"c": "One two three four."}, "f2")))
    rows = lengths.stats("e")
    assert len(rows) == 1
    assert tuple(rows[0]) == STATS_COLUMNS
    assert rows[0] == {
        "experiment": "e",
        "iteration": 2,
        "stage": "initial_responses",
        "records": 2,
        "kept": 1,
        "mean": 4.0,
        "p10": 4.0,
        "p50": 4.0,
        "p90": 4.0,
        "max": 4,
    }
    assert lengths.stats("other") == []


def test_the_table_has_the_promised_columns(store: StageStore, lengths: LengthsDatabase) -> None:
    lengths.replace_stage(store.publish(draft(store, {"a": "One two."})))
    with duckdb.connect(str(lengths.path), read_only=True) as connection:
        rows = connection.execute("SELECT * FROM record_lengths ORDER BY record_id").fetchall()
    assert rows == [
        ("e", 2, "initial_responses", "a", 2, 8, 7, True, None),
        ("e", 2, "initial_responses", "r", 1, 3, 7, False, "repetition"),
    ]


def test_lineage(store: StageStore, lengths: LengthsDatabase) -> None:
    lengths.replace_stage(store.publish(draft(store, {"a": "One.", "b": "Two."})))
    assert sorted(lengths.ancestry("a")) == [("a", "p1"), ("a", "p2")]
    assert lengths.locate_all(["a", "p1"]) == {"a": KEY}


def test_adapters_are_remembered_once(lengths: LengthsDatabase) -> None:
    for _ in range(2):
        lengths.remember_adapter("e", Adapter("extender", "f", "/some/where", 1))
    assert lengths.adapters() == {
        "f": {
            "experiment": "e",
            "iteration": 1,
            "role": "extender",
            "fingerprint": "f",
        }
    }


def test_a_missing_database_has_nothing(lengths: LengthsDatabase) -> None:
    assert lengths.stats() == []
    assert not lengths.path.exists()


def test_a_failed_replacement_changes_nothing(store: StageStore, lengths: LengthsDatabase) -> None:
    stage = store.publish(draft(store, {"a": "One."}))
    lengths.replace_stage(stage)
    stage.path.write_bytes(b"broken")
    with pytest.raises(duckdb.Error):
        lengths.replace_stage(stage)
    assert lengths.stats()[0]["kept"] == 1
