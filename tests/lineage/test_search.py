"""Searching a stage of 10,000 records."""

import time
from pathlib import Path

import pytest

from sl_dagster.errors import UserError
from sl_dagster.identity import fingerprint
from sl_dagster.lineage.search import PAGE_SIZE, Search, search
from sl_dagster.resources.storage.stage_store import StageKey, StageStore

KEY = StageKey("e", "initial_responses", 1)


def find(folder: Path, **wanted):
    return search(Search(KEY, **wanted), StageStore(data_dir=str(folder)))


def test_a_page_is_all_that_is_read(large: Path) -> None:
    start = time.process_time()
    found = find(large)
    assert time.process_time() - start < 5
    assert (found.total, found.pages, len(found.hits)) == (10_000, 200, PAGE_SIZE)
    assert [hit.snippet.split()[1] for hit in found.hits[:2]] == ["0", "1"]
    assert find(large, page=200).hits[-1].record_id == fingerprint(KEY.stage, 9_999)
    assert find(large, page=201).hits == []
    assert all(len(hit.snippet) < 300 for hit in found.hits)


def test_by_words_outcome_and_parent(large: Path) -> None:
    assert [hit.record_id for hit in find(large, words="NEEDLE4321 goes").hits] == [
        fingerprint(KEY.stage, 4_321)
    ]
    assert find(large, words="needle4321 needle4322").total == 0
    assert find(large, words="bridge").total == 10_000, "the instruction is searched, too"
    assert (find(large, kept=True).total, find(large, kept=False).total) == (7_500, 2_500)
    assert find(large, reason="repetition").total == 2_500
    assert find(large).reasons == {"repetition": 2_500}
    parent = fingerprint("instructions", 77)
    assert [hit.record_id for hit in find(large, parent=parent).hits] == [
        fingerprint(KEY.stage, 77)
    ]


def test_words_are_no_sql_and_no_pattern(large: Path) -> None:
    assert find(large, words="%").total == 0
    assert find(large, words="'; DROP").total == 0
    assert find(large, reason="' OR true --").total == 0


def test_training_examples_are_searched_by_their_answer(small: Path) -> None:
    stages = StageStore(data_dir=str(small))
    found = search(Search(StageKey("e", "generator_sft", 1), words="Nobody"), stages)
    assert [hit.record_id for hit in found.hits] == ["t-generator"]
    assert found.hits[0].snippet.startswith("The bridge is very old")


def test_a_stage_that_is_not_there(small: Path) -> None:
    with pytest.raises(UserError, match="round9_stage1 of iteration 1 has not been made yet"):
        search(Search(StageKey("e", "round9_stage1", 1)), StageStore(data_dir=str(small)))
