"""Stored stages: what appears when, what is read back, and what damage looks like."""

import os
from dataclasses import replace
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sl_dagster import durable
from sl_dagster.errors import UserError
from sl_dagster.method.prompts import Message
from sl_dagster.resources.records import Example, Text
from sl_dagster.resources.storage.stage_store import (
    StageKey,
    StageStore,
    disk_errors_explained,
)
from tests.stored_stages import RESPONSES, drafted, drafted_responses, made_up, response


@pytest.fixture
def store(tmp_path: Path) -> StageStore:
    return StageStore(data_dir=str(tmp_path))


def test_nothing_is_visible_before_it_is_published(store: StageStore) -> None:
    with pytest.raises(UserError, match="e/initial_responses of iteration 2 has not been made"):
        store.read(RESPONSES)
    unpublished = drafted_responses(store, {"a": "One text."})
    with pytest.raises(UserError):
        store.read(RESPONSES)
    store.make_current(unpublished)
    stored = store.read(RESPONSES)
    assert list(stored.records()) == [response("a", "One text.")]
    assert stored.pick({"a", "r", "unknown"}) == [
        response("a", "One text."),
        response("r", "bad", kept=False),
    ]
    assert (len(stored), stored.fingerprint, stored.manifest["rejected"]) == (1, "f1", 1)
    assert stored.column("words") == [2]


def test_complete_stages_are_found(store: StageStore) -> None:
    assert store.complete() == []
    outside = StageKey("other", "seeds", None)
    for key in (RESPONSES, outside):
        unpublished = drafted(store, key, [])
        assert key not in store.complete()
        store.make_current(unpublished)
    assert store.complete() == [RESPONSES, outside]
    assert store.complete("e") == [RESPONSES]
    assert store.complete("nobody") == []


def test_publishing_replaces_and_cleans_up(store: StageStore) -> None:
    store.make_current(drafted_responses(store, {"a": "One."}))
    journal = store.journal(RESPONSES, "f2", Text)
    journal.append("b", [response("b", "Two.")])
    old = store.read(RESPONSES)
    new = drafted_responses(store, {"b": "Two."}, "f2")
    assert [r.record_id for r in old.records()] == ["a"]
    store.make_current(new)
    assert [r.record_id for r in store.read(RESPONSES).records()] == ["b"]
    names = sorted(path.name for path in store.folder(RESPONSES).iterdir())
    assert names == ["records.parquet", "rejected"]


def test_what_a_kill_behind_the_rename_has_left_goes_with_the_next_run(store: StageStore) -> None:
    current = store.make_current(drafted_responses(store, {"a": "One."}, "f1"))
    (current.folder / ".draft-123").mkdir()
    for fingerprint in ("f1", "f2"):
        store.journal(RESPONSES, fingerprint, Text).close()
    store.make_current(store.read(RESPONSES))
    # That of other settings, which somebody may go back to, stays.
    left = {path.name for path in current.folder.iterdir()}
    assert left == {"records.parquet", "rejected", "journal-f2.jsonl"}


def test_an_equal_result_is_found_by_its_fingerprint(store: StageStore) -> None:
    assert store.find(RESPONSES, "f1") is None
    published = store.make_current(drafted_responses(store, {"a": "One."}))
    found = store.find(RESPONSES, "f1")
    assert found
    assert found.content_hash == published.content_hash
    assert store.find(RESPONSES, "f2") is None


def test_the_content_hash_depends_on_content_alone(store: StageStore) -> None:
    hashes = [
        drafted_responses(store, texts, fingerprint).content_hash
        for texts, fingerprint in (
            ({"a": "One."}, "f1"),
            ({"a": "One."}, "f2"),
            ({"a": "Two."}, "f1"),
        )
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_failure_while_writing_leaves_what_was_there(store: StageStore) -> None:
    store.make_current(drafted_responses(store, {"a": "One."}))
    with pytest.raises(UserError, match="the disk is full"), store.draft(RESPONSES, "f2", Text):
        raise OSError(28, "No space left on device")
    assert [r.record_id for r in store.read(RESPONSES).records()] == ["a"]
    assert not list(store.folder(RESPONSES).glob(".draft-*"))


def test_damage_is_told_and_is_not_reused(store: StageStore) -> None:
    path = store.make_current(drafted_responses(store, {"a": "One text. " * 1000})).path
    texts = pq.ParquetFile(path).metadata.row_group(0).column(Text.schema.names.index("text"))
    content = bytearray(path.read_bytes())
    start = texts.dictionary_page_offset or texts.data_page_offset
    content[start + texts.total_compressed_size // 2] ^= 0xFF
    path.write_bytes(content)
    assert store.find(RESPONSES, "f1") is None
    with pytest.raises(UserError, match=r"records.parquet is damaged .*materialize"):
        list(store.read(RESPONSES).records())
    path.write_bytes(b"not parquet")
    with pytest.raises(UserError, match="is damaged"):
        store.read(RESPONSES)


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


def test_other_errors_are_not_called_a_full_disk() -> None:
    with pytest.raises(UserError, match="Read-only"), disk_errors_explained("x"):
        raise OSError(30, "Read-only file system")
    with pytest.raises(ConnectionError), disk_errors_explained("x"):
        raise ConnectionError(104, "reset")


def test_a_stage_of_a_model_has_a_folder_and_a_name_of_its_own(tmp_path: Path) -> None:
    key = StageKey("e", "longen_scores", None, model="1")
    assert str(key) == "e/longen_scores of model 1"
    assert str(key.folder) == "e/longen_scores/model=1"
    assert StageKey.from_name("e", key.name, None) == key
    other = StageKey("e", "initial_responses", 2)
    assert StageKey.from_name("e", other.name, 2) == other
    store = StageStore(data_dir=str(tmp_path))
    for each in (key, StageKey("e", "longen_scores", None, model="base"), other):
        store.make_current(drafted(store, each, []))
    assert set(store.complete("e")) == {
        key, StageKey("e", "longen_scores", None, model="base"), other,
    }  # fmt: skip
    assert store.complete("nobody") == []


def test_a_kill_between_the_two_files_of_a_stage(
    store: StageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.make_current(drafted_responses(store, {"a": "One."}, "f1"))
    assert store.find(RESPONSES, "f1")
    draft = drafted_responses(store, {"b": "Two."}, "f2")
    done = durable.replace

    def killed(new: Path, path: Path) -> None:
        if path.parent.name != "rejected":
            raise KeyboardInterrupt
        done(new, path)

    monkeypatch.setattr(durable, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        store.make_current(draft)
    monkeypatch.undo()
    assert [record.record_id for record in store.read(RESPONSES).records()] == ["a"]
    assert store.find(RESPONSES, "f1") is None, "its discarded texts are those of the other attempt"
    assert store.find(RESPONSES, "f2") is None
    store.make_current(drafted_responses(store, {"a": "One."}, "f1"))
    assert store.find(RESPONSES, "f1")
