"""The lengths database agrees with the stages."""

import shutil
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import duckdb
import pytest

from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage import lengths_file
from sl_dagster.resources.storage.adapter_store import AdapterStore, StoredAdapter
from sl_dagster.resources.storage.lengths import STATS_COLUMNS, LengthsDatabase
from sl_dagster.resources.storage.lengths_file import LengthsUnavailableError
from sl_dagster.resources.storage.pending import KnownAdapter
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from tests.elsewhere import database_open_elsewhere
from tests.stored_stages import RESPONSES, add_to, drafted, drafted_responses, made_up


@pytest.fixture
def store(tmp_path: Path) -> StageStore:
    return StageStore(data_dir=str(tmp_path))


@pytest.fixture
def lengths(tmp_path: Path) -> LengthsDatabase:
    return LengthsDatabase(data_dir=str(tmp_path))


def test_a_stage_replaces_its_own_rows_only(store: StageStore, lengths: LengthsDatabase) -> None:
    add_to(lengths, store.make_current(drafted_responses(store, {"a": "One two.", "b": "One."})))
    other = StageKey("e", "instructions", None)
    add_to(lengths, store.make_current(drafted(store, other, [])))
    add_to(
        lengths, store.make_current(drafted_responses(store, {"c": "One two three four."}, "f2"))
    )
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
    add_to(lengths, store.make_current(drafted_responses(store, {"a": "One two."})))
    with duckdb.connect(str(lengths.path), read_only=True) as connection:
        rows = connection.execute("SELECT * FROM record_lengths ORDER BY record_id").fetchall()
    assert rows == [
        ("e", 2, "initial_responses", "a", 2, 8, 7, True, None),
        ("e", 2, "initial_responses", "r", 1, 3, 7, False, "repetition"),
    ]


def test_lineage(store: StageStore, lengths: LengthsDatabase) -> None:
    add_to(lengths, store.make_current(drafted_responses(store, {"a": "One.", "b": "Two."})))
    assert sorted(lengths.ancestry("a")) == [("a", "p1"), ("a", "p2")]
    assert lengths.locate_all(["a", "p1"]) == {"a": RESPONSES}


def test_adapters_are_remembered_once(lengths: LengthsDatabase) -> None:
    for _ in range(2):
        add_to(lengths, KnownAdapter("e", 1, "extender", "f"))
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


def test_what_is_known_of_a_stage_outlives_its_damage(
    store: StageStore, lengths: LengthsDatabase
) -> None:
    stage = store.make_current(drafted_responses(store, {"a": "One."}))
    add_to(lengths, stage)
    stage.path.write_bytes(b"broken")
    add_to(lengths, stage)
    assert lengths.stats()[0]["kept"] == 1


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lengths_file, "_SECONDS_TO_WAIT", 0.3)


def everything(lengths: LengthsDatabase) -> list:
    """What all kinds of questions are answered with."""
    return [
        lengths.stats(),
        lengths.stats("e"),
        lengths.locate("a"),
        sorted(lengths.ancestry("a")),
        sorted(lengths.descent("p1"), key=str),
        sorted(lengths.relatives(["a"])),
        lengths.adapters(),
    ]


def store_adapter(folder: Path, role: Literal["generator", "extender"], fingerprint: str) -> None:
    key = StageKey("e", f"{role}_lora", 1)
    AdapterStore(data_dir=str(folder)).make_current(
        key, StoredAdapter(Adapter(role, fingerprint, None, 1), "x")
    )


def test_readers_need_no_database(
    store: StageStore, lengths: LengthsDatabase, tmp_path: Path, caplog
) -> None:
    """Open elsewhere, damaged or deleted: the answers are the same, and it is said why."""
    store_adapter(tmp_path, "extender", "f")
    add_to(lengths, KnownAdapter("e", 1, "extender", "f"))
    add_to(lengths, store.make_current(drafted_responses(store, {"a": "One two.", "b": "One."})))
    expected = everything(lengths)
    assert not caplog.messages
    with database_open_elsewhere(lengths.path) as pid:
        assert everything(lengths) == expected
    assert f"(process {pid}): close it there" in caplog.messages[0]
    with database_open_elsewhere(lengths.path, read_only=True):
        caplog.clear()
        assert everything(lengths) == expected
        assert not caplog.messages
    whole = lengths.path.read_bytes()
    for broken in (whole[: len(whole) // 2], b"no database at all" * 1000, b""):
        caplog.clear()
        lengths.path.write_bytes(broken)
        assert everything(lengths) == expected
        assert broken == b"" or "sl-dagster rebuild-stats" in caplog.messages[0]
    lengths.path.unlink()
    assert everything(lengths) == expected


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("read_only", [True, False])
def test_a_writer_that_is_kept_out_is_caught_up_with(
    store: StageStore, lengths: LengthsDatabase, read_only: bool
) -> None:
    add_to(lengths, store.make_current(drafted_responses(store, {"old": "One two."})))
    with database_open_elsewhere(lengths.path, read_only) as pid:
        stage = store.make_current(
            drafted_responses(store, {"a": "One two three.", "b": "One."}, "f2")
        )
        with pytest.raises(LengthsUnavailableError, match=rf"is open in .* \(process {pid}\)"):
            add_to(lengths, stage)
        with pytest.raises(LengthsUnavailableError):
            add_to(lengths, KnownAdapter("e", 1, "extender", "f"))
        assert lengths.stats()[0]["records"] == 3, "readers know that the database is behind"
    assert lengths.stats()[0]["records"] == 3
    with duckdb.connect(str(lengths.path), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM record_lengths").fetchone() == (2,)
    other = StageKey("e", "instructions", None)
    add_to(lengths, store.make_current(drafted(store, other, [])))
    with duckdb.connect(str(lengths.path), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM record_lengths").fetchone() == (3,)
    assert list(lengths.adapters()) == ["f"]
    assert not list(lengths.path.parent.glob(".lengths-pending/*"))


def test_a_short_use_elsewhere_is_waited_for(store: StageStore, lengths: LengthsDatabase) -> None:
    add_to(lengths, store.make_current(drafted_responses(store, {"old": "One two."})))
    stage = store.make_current(drafted_responses(store, {"a": "One."}, "f2"))
    with ExitStack() as stack:
        stack.enter_context(database_open_elsewhere(lengths.path))
        timer = threading.Timer(0.7, stack.close)
        timer.start()
        add_to(lengths, stage)
        timer.join()
    assert lengths.locate("a") == RESPONSES


def test_a_run_that_dies_between_files_and_database_is_caught_up_with(
    store: StageStore, lengths: LengthsDatabase
) -> None:
    add_to(lengths, store.make_current(drafted_responses(store, {"old": "One two."})))
    lengths.expect(RESPONSES)
    store.make_current(drafted_responses(store, {"a": "One two."}, "f2"))
    assert lengths.locate("a") == RESPONSES
    lengths.catch_up()
    with duckdb.connect(str(lengths.path), read_only=True) as connection:
        found = connection.execute("SELECT record_id FROM record_lengths").fetchall()
    assert sorted(found) == [("a",), ("r",)]


def test_a_note_that_was_torn_has_everything_added(
    store: StageStore, lengths: LengthsDatabase
) -> None:
    add_to(lengths, store.make_current(drafted_responses(store, {"old": "One two."})))
    lengths.expect(RESPONSES)
    [note] = lengths.path.parent.glob(".lengths-pending/*.json")
    note.write_bytes(b"")
    store.make_current(drafted_responses(store, {"a": "One two."}, "f2"))
    lengths.catch_up()
    with duckdb.connect(str(lengths.path), read_only=True) as connection:
        found = connection.execute("SELECT record_id FROM record_lengths").fetchall()
    assert sorted(found) == [("a",), ("r",)]


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


@pytest.mark.parametrize("damage", ["none", "gone", "cut", "flipped", "header", "other"])
def test_rebuilding(
    store: StageStore, lengths: LengthsDatabase, tmp_path: Path, damage: str
) -> None:
    store_adapter(tmp_path, "generator", "g")
    add_to(lengths, KnownAdapter("e", 1, "generator", "g"))
    add_to(lengths, store.make_current(drafted_responses(store, {"a": "One two.", "b": "One."})))
    expected = everything(lengths)
    if damage == "none":
        with duckdb.connect(str(lengths.path)) as connection:
            connection.execute("CREATE TABLE mine AS SELECT 1")
            connection.execute("DELETE FROM record_lengths WHERE record_id = 'a'")
    elif damage == "gone":
        lengths.path.unlink()
    else:
        whole = lengths.path.read_bytes()
        broken = {
            "cut": whole[: len(whole) // 2],
            "flipped": flipped(whole, 12_288 + 300),
            "header": flipped(whole, 4_096 + 20),
            "other": b"no database",
        }[damage]
        lengths.path.write_bytes(broken)
    lengths.rebuild()
    assert everything(lengths) == expected
    with duckdb.connect(str(lengths.path), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM record_lengths").fetchone() == (3,)
        assert damage != "none" or connection.execute("FROM mine").fetchall() == [(1,)]


@pytest.mark.usefixtures("impatient")
def test_what_is_open_elsewhere_is_not_rebuilt(store: StageStore, lengths: LengthsDatabase) -> None:
    add_to(lengths, store.make_current(drafted_responses(store, {"a": "One two."})))
    with (
        database_open_elsewhere(lengths.path) as pid,
        pytest.raises(LengthsUnavailableError, match=f"process {pid}"),
    ):
        lengths.rebuild()
    assert lengths.stats()[0]["records"] == 2


def test_a_damaged_stage_takes_no_other_down(store: StageStore, lengths: LengthsDatabase) -> None:
    bad = store.make_current(drafted_responses(store, {"a": "One two."}))
    other = StageKey("e", "instructions", None)
    store.make_current(drafted(store, other, [made_up(Text, other)]))
    bad.path.write_bytes(b"broken")
    assert [row["stage"] for row in lengths.stats()] == ["instructions"]
    lengths.rebuild()
    assert [row["stage"] for row in lengths.stats()] == ["instructions"]


@pytest.mark.parametrize("copied", ["e", "e/initial_responses"])
def test_a_copy_of_a_folder_counts_under_its_own_name(
    store: StageStore, lengths: LengthsDatabase, copied: str
) -> None:
    store.make_current(drafted_responses(store, {"a": "One two."}))
    lengths.rebuild()
    before = lengths.stats("e")
    folder = Path(store.data_dir) / copied
    shutil.copytree(folder, folder.with_name(f"{folder.name}_backup"))
    lengths.rebuild()
    original, copy = sorted(lengths.stats(), key=lambda row: (row["experiment"], row["stage"]))
    assert original == before[0]
    assert copy == original | {
        "experiment": "e_backup" if copied == "e" else "e",
        "stage": "initial_responses" if copied == "e" else "initial_responses_backup",
    }
