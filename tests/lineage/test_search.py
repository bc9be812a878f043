"""Searching a stage of 10,000 records."""

import time
from pathlib import Path

import pytest

from sl_dagster.errors import UserError
from sl_dagster.identity import fingerprint
from sl_dagster.lineage.search import PAGE_SIZE, Hit, Search, search
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from tests.lineage.conftest import StageWriter

KEY = StageKey("e", "initial_responses", 1)


def find(folder: Path, **wanted):
    return search(Search((KEY,), **wanted), StageStore(data_dir=str(folder)))


def text(hit: Hit) -> str:
    return "".join(part for part, _ in hit.snippet)


def test_a_page_is_all_that_is_read(large: Path) -> None:
    start = time.process_time()
    found = find(large)
    assert time.process_time() - start < 5
    assert (found.total, found.pages, len(found.hits)) == (10_000, 200, PAGE_SIZE)
    assert [text(hit).split()[1] for hit in found.hits[:2]] == ["0", "1"]
    assert find(large, page=200).hits[-1].record_id == fingerprint(KEY.stage, 9_999)
    assert find(large, page=201).hits == []
    assert all(len(text(hit)) < 300 for hit in found.hits)


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
    found = search(Search((StageKey("e", "generator_sft", 1),), words="knows"), stages)
    assert [hit.record_id for hit in found.hits] == ["t-generator"]
    assert ("knows", True) in found.hits[0].snippet


def test_what_was_found_is_marked_where_it_stands(large: Path) -> None:
    [hit] = find(large, words="NEEDLE4321 Goes").hits
    marks = [part for part, is_word in hit.snippet if is_word]
    assert marks[:2] == ["needle4321", "goes"]
    assert not hit.of_instruction
    [first, *_] = find(large, words="bridge").hits
    assert first.of_instruction
    assert ("bridge", True) in first.snippet


def test_a_word_far_behind_in_a_text_is_shown(tmp_path: Path) -> None:
    write = StageWriter(tmp_path)
    write.stage("initial_responses", write.text("initial_responses", "r", "on " * 500 + "a lamp"))
    [hit] = find(tmp_path, words="LAMP").hits
    assert hit.snippet[1] == ("lamp", True)


def test_several_stages_in_their_order(small: Path) -> None:
    stages = StageStore(data_dir=str(small))
    keys = [StageKey("e", name, 1) for name in ("extended_responses", "generator_sft")]
    found = search(Search((*keys, KEY), words="stands"), stages)
    assert [(hit.key.stage, hit.record_id) for hit in found.hits] == [
        ("extended_responses", "e1"), ("generator_sft", "t-generator"), ("initial_responses", "r1"),
    ]  # fmt: skip
    assert found.total == 3
    assert found.reasons == {"bad_ending": 1}, "of all that is searched"


def test_a_damaged_stage_is_named(large: Path, tmp_path: Path) -> None:
    write = StageWriter(tmp_path)
    for stage in ("instructions", "initial_responses"):
        lines = [f"{stage} {number} {fingerprint(number)}" for number in range(2000)]
        write.stage(stage, *(write.text(stage, line, line) for line in lines))
    stages = StageStore(data_dir=str(tmp_path))
    path = stages.read(KEY).path
    content = bytearray(path.read_bytes())
    middle = range(len(content) // 4, len(content) // 2)
    content[middle.start : middle.stop] = bytes(len(middle))
    path.write_bytes(content)
    with pytest.raises(UserError, match="e/initial_responses of iteration 1 again"):
        search(Search((StageKey("e", "instructions", 1), KEY), words="7"), stages)


def test_a_stage_that_is_not_there(small: Path) -> None:
    with pytest.raises(UserError, match="round9_stage1 of iteration 1 has not been made yet"):
        search(Search((StageKey("e", "round9_stage1", 1),)), StageStore(data_dir=str(small)))
