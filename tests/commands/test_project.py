"""The history of runs, as several commands find it that are started at the same time."""

import multiprocessing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from sl_dagster.commands.project import history

AT_ONCE = 4


def _opened(together: Barrier) -> None:
    together.wait()
    with history() as instance:
        assert instance.get_runs() == []


@pytest.mark.parametrize("attempt", range(2))
def test_commands_that_start_together_begin_one_history(
    attempt: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    forked = multiprocessing.get_context("fork")
    together = forked.Barrier(AT_ONCE)
    commands = [forked.Process(target=_opened, args=(together,)) for _ in range(AT_ONCE)]
    for command in commands:
        command.start()
    for command in commands:
        command.join()
    assert [command.exitcode for command in commands] == [0] * AT_ONCE
