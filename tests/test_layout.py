"""The version of a data folder's layout."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from sl_dagster import durable
from sl_dagster.errors import UserError
from sl_dagster.layout import LAYOUT, check_layout, note_layout
from sl_dagster.paths import data_dir
from sl_dagster.resources.storage.run_lock import RunLock
from sl_dagster.resources.storage.stage_key import StageKey


def test_a_run_notes_the_layout(tmp_path: Path) -> None:
    check_layout(tmp_path / "new")  # as are those of versions that noted none
    lock = RunLock()
    lock.hold(tmp_path, StageKey("e", "instructions", 1), "run-1")
    lock.free()
    assert json.loads((tmp_path / "layout.json").read_text()) == {"layout": LAYOUT}
    before = (tmp_path / "layout.json").stat().st_mtime_ns
    note_layout(tmp_path)
    assert (tmp_path / "layout.json").stat().st_mtime_ns == before


def test_runs_that_begin_at_the_same_moment_all_note_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, settle = Barrier(4), durable.settle

    def settle_together(path: Path) -> None:
        together.wait(timeout=20)  # all have written by now, and none has given the note its name
        settle(path)

    monkeypatch.setattr(durable, "settle", settle_together)
    with ThreadPoolExecutor(4) as runs:
        list(runs.map(note_layout, [tmp_path] * 4))
    check_layout(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["layout.json"]


def test_what_a_later_version_has_stored_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SL_DAGSTER_DATA", str(tmp_path))
    (tmp_path / "layout.json").write_text(json.dumps({"layout": LAYOUT + 1}))
    key = StageKey("e", "instructions", 1)
    for use in (data_dir, lambda: RunLock().hold(tmp_path, key, "run-1")):
        with pytest.raises(UserError, match="a later version of sl-dagster has stored here"):
            use()
    assert [path.name for path in tmp_path.iterdir()] == ["layout.json"], "nothing is written"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"layout": "1"}', '{"layout": null}'])
def test_a_damaged_note_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "layout.json").write_text(content)
    with pytest.raises(UserError, match=r"layout\.json is damaged .*: write"):
        check_layout(tmp_path)
