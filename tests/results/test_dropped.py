"""Counting what the stages have discarded."""

from pathlib import Path

import pytest

from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.results.dropped import DROPPED_COLUMNS, dropped_rows
from tests.stored_stages import store


def test_dropped_and_retried_texts_per_reason(tmp_path: Path) -> None:
    facts = {"kept": 6, "dropped": {"truncated": 1}, "retried": {"truncated": 2, "repetition": 1}}
    for key in (StageKey("e", "initial_responses", 1), StageKey("f", "seeds", None)):
        store(tmp_path, key, [], **facts)
    stages = StageStore(data_dir=str(tmp_path))
    rows = dropped_rows(stages, "e")
    assert all(tuple(row) == DROPPED_COLUMNS for row in rows)
    where = ("e", 1, "initial_responses")
    assert [tuple(row.values()) for row in rows] == [
        (*where, "repetition", 1, pytest.approx(0.1), 0, 1),
        (*where, "truncated", 3, pytest.approx(0.3), 1, 2),
    ]
    assert [row["iteration"] for row in dropped_rows(stages)] == [1, 1, 0, 0]
