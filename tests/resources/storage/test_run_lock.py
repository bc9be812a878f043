"""Two runs on one iteration."""

from pathlib import Path

import pytest

from sl_dagster.errors import UserError
from sl_dagster.resources.storage.run_lock import RunLock


def test_the_second_run_is_told_who_works_there(tmp_path: Path) -> None:
    first, second = RunLock(), RunLock()
    first.hold(tmp_path, "e", 1, "run-one")
    first.hold(tmp_path, "e", 1, "run-one")
    second.hold(tmp_path, "e", 2, "run-two")
    second.hold(tmp_path, "other", 1, "run-two")
    with pytest.raises(UserError, match=r"working on iteration 1 of e \(run run-one\)"):
        second.hold(tmp_path, "e", 1, "run-two")
    first.free()
    second.hold(tmp_path, "e", 1, "run-two")
    second.free()
