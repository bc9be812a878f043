"""The data folder: what appears when, and what damage looks like."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sl_dagster import durable
from sl_dagster.errors import OutOfReachError, UserError
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from tests.conftest import unreadable
from tests.stored_stages import RESPONSES, drafted, drafted_responses, response


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


def test_what_cannot_be_read_now_is_not_damaged(store: StageStore) -> None:
    """Or a second user, and a network that fails for a moment, would have it made anew."""
    store.make_current(drafted_responses(store, {"a": "One text."}))
    stage = store.read(RESPONSES)
    with unreadable():
        for look in (
            lambda: store.read(RESPONSES),
            lambda: store.find(RESPONSES, "f1"),
            lambda: list(stage.records()),
            stage.verify,
        ):
            with pytest.raises(OutOfReachError, match=r"cannot be read \(Too many open files\)"):
                look()
    assert store.find(RESPONSES, "f1")


@pytest.mark.parametrize("hurt", ["a bit flips", "torn", "gone", "of another attempt"])
def test_the_discarded_texts_are_a_part_of_the_stage(store: StageStore, hurt: str) -> None:
    made = store.make_current(drafted_responses(store, {"a": "One text."}))
    whole = made.rejected_path.read_bytes()
    match hurt:
        case "a bit flips":
            made.rejected_path.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
        case "torn":
            made.rejected_path.write_bytes(whole[:-9])
        case "gone":
            made.rejected_path.unlink()
        case _:
            other = drafted_responses(store, {"a": "Another text, made anew."})
            durable.replace(other.rejected_path, made.rejected_path)
    said: list[str] = []
    assert store.find(RESPONSES, "f1", said.append) is None
    assert "rejected/records.parquet is damaged" in said[0]
    store.make_current(drafted_responses(store, {"a": "One text."}))
    assert store.find(RESPONSES, "f1", said.append)
    assert len(said) == 1


@pytest.mark.parametrize(
    "name", ["iteration=2.bak", "iteration=2 (copy)", "iteration=", "iteration=02"]
)
def test_copies_of_an_iteration_are_not_stages(store: StageStore, name: str) -> None:
    made = store.make_current(drafted_responses(store, {"a": "One text."}))
    shutil.copytree(made.folder, made.folder.with_name(name))
    assert store.complete() == [RESPONSES]


def test_what_cannot_be_written_at_the_very_beginning(store: StageStore) -> None:
    folder = store.folder(RESPONSES)
    folder.parent.mkdir(parents=True)
    folder.write_text("a file where the stage's folder should be")
    with pytest.raises(UserError, match=r"cannot write .*journal-f1.* (Not a dir|File exists)"):
        store.journal(RESPONSES, "f1", Text)
    with (
        pytest.raises(UserError, match="cannot write"),
        store.draft(RESPONSES, "f1", Text),
    ):
        raise AssertionError("the draft has no folder")
