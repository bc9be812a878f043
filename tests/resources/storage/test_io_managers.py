"""What is handed on is stored, whatever becomes of the lengths database."""

from pathlib import Path

import dagster as dg
import pytest

from sl_dagster.resources.storage import lengths_file
from sl_dagster.resources.storage.io_managers import StageIOManager
from sl_dagster.resources.storage.lengths import LengthsDatabase
from sl_dagster.resources.storage.stage_store import StageKey, StageStore, StoredStage
from tests.elsewhere import database_open_elsewhere
from tests.stored_stages import drafted

KEY = StageKey("e", "seeds", None)


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
