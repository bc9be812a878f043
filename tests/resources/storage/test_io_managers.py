"""What is handed on is stored, whatever becomes of the lengths database."""

from pathlib import Path

import dagster as dg
import pytest

from sl_dagster.resources.records import Text
from sl_dagster.resources.storage import lengths_file
from sl_dagster.resources.storage.io_managers import StageIOManager
from sl_dagster.resources.storage.lengths import LengthsDatabase
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage
from tests.elsewhere import database_open_elsewhere
from tests.stored_stages import drafted, made_up

KEY = StageKey("e", "seeds", None)


def test_another_run_that_catches_up_at_the_same_time_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages, lengths = StageStore(data_dir=str(tmp_path)), LengthsDatabase(data_dir=str(tmp_path))
    lengths.catch_up()  # there is a database
    make_current = StageStore.make_current

    def after_another_run(self: StageStore, draft: StoredStage) -> StoredStage:
        lengths.catch_up()  # it reads the note of this stage, which is not there yet
        return make_current(self, draft)

    monkeypatch.setattr(StageStore, "make_current", after_another_run)
    records = [made_up(Text, KEY, place) for place in range(3)]
    manager = StageIOManager(stages=stages, lengths=lengths)
    manager.handle_output(dg.build_output_context(), drafted(stages, KEY, records))
    assert lengths.locate(records[0].record_id) == KEY
    in_files, in_database = lengths.counts(stages.read(KEY))
    assert in_database == in_files


def test_a_database_that_is_open_elsewhere_fails_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lengths_file, "_SECONDS_TO_WAIT", 0.2)
    stages, lengths = StageStore(data_dir=str(tmp_path)), LengthsDatabase(data_dir=str(tmp_path))

    @dg.asset(key=["e", "seeds"], io_manager_key="stage_io")
    def seeds() -> StoredStage:
        return drafted(stages, KEY, [])

    def materialize() -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [seeds], resources={"stage_io": StageIOManager(stages=stages, lengths=lengths)}
        )

    assert materialize().success
    with database_open_elsewhere(lengths.path) as pid:
        assert materialize().success
    [warning] = [line for line in capfd.readouterr().err.splitlines() if "WARNING" in line]
    assert "lengths.duckdb is open in " in warning
    assert f"(process {pid}): close it there. What has been made is stored" in warning
    assert stages.read(KEY).fingerprint == "f"
