"""Stored stages: what is read back, and how much of it is in memory."""

import os
from dataclasses import replace
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sl_dagster.method.prompts import Message
from sl_dagster.resources.records import Example, Text
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from tests.stored_stages import RESPONSES, drafted, drafted_responses, made_up, response


@pytest.fixture
def store(tmp_path: Path) -> StageStore:
    return StageStore(data_dir=str(tmp_path))


def test_the_files_are_readable_as_they_are(store: StageStore, tmp_path: Path) -> None:
    path = store.make_current(drafted_responses(store, {"a": "One.", "b": "Two."})).path
    loaded = datasets.load_dataset(
        "parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert isinstance(loaded, datasets.Dataset)
    assert loaded["text"][:] == ["One.", "Two."]


def test_training_examples_keep_their_messages(store: StageStore) -> None:
    key = StageKey("e", "generator_sft", 2)
    example = made_up(
        Example,
        key,
        prompt=(Message(role="user", content="Write."),),
        completion=(Message(role="assistant", content="A long text."),),
    )
    stored = store.make_current(drafted(store, key, [example]))
    assert list(stored.records()) == [example]
    assert example.words == 3


def test_batches_are_bounded_by_all_the_text_they_hold(store: StageStore) -> None:
    """Carried records have little text of their own, but that of their sources."""
    numbered = (response(str(number), "") for number in range(30))
    carried = [replace(one, initial_response="x" * 1_000_000) for one in numbered]
    stored = store.make_current(drafted(store, RESPONSES, carried))
    metadata = pq.read_metadata(stored.path)
    assert metadata.num_row_groups >= 3
    assert [r.record_id for r in stored.at([29, 0, 11])] == ["29", "0", "11"]
    assert [r.record_id for r in stored.pick({"3", "25"})] == ["3", "25"]
    assert [r.record_id for r in stored.records()] == [str(number) for number in range(30)]


def test_reading_does_not_hold_what_was_read(store: StageStore) -> None:
    with store.draft(RESPONSES, "f", Text) as writing:
        for number in range(60):
            writing.add(response(str(number), os.urandom(500_000).hex()))
        stored = store.make_current(writing.finish({}))
    held = [pa.total_allocated_bytes() for _ in stored.records()]
    assert stored.path.stat().st_size > 30_000_000
    assert max(held) < 40_000_000, "of 60 million characters"


def test_lengths_are_those_that_were_stored_until_the_text_changes(store: StageStore) -> None:
    stored = next(store.make_current(drafted_responses(store, {"a": "One two."})).records(Text))
    assert (stored.words, stored.characters) == (2, 8)
    changed = replace(stored, text="One two three.")
    assert (changed.words, changed.characters) == (3, 14)
