"""A run that is killed before any of the changes that it makes to files, one after the other."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sl_dagster.paths import PROJECT_ROOT
from tests.resources.storage.storing import RECORDS, contents, make_and_store

# Files that a run needs only while it works.
PASSING = (".draft-*", "journal-*", ".training-*", "*.new", ".adapter.json", "*.run*",
           ".lengths-pending/*")  # fmt: skip


def test_killed_before_any_change_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever would have come next: all is as if nothing had been, and nothing lies about."""
    monkeypatch.setattr(os, "fsync", lambda number: None)  # it takes most of the time
    stored, undisturbed = tmp_path / "stored", tmp_path / "undisturbed"
    make_and_store(stored, "old", lambda number: None)
    for made_anew in ("layout.json", "lengths.duckdb"):
        (stored / made_anew).unlink()
    make_and_store(shutil.copytree(stored, undisturbed), "new", lambda number: None)
    expected = contents(undisturbed)
    command = [sys.executable, "-m", "tests.resources.storage.killing", str(stored), "new"]
    done = subprocess.run(
        [*command, str(tmp_path)], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    kills = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(kills) > 40
    for kill in kills:
        folder, asked = Path(kill["folder"]), list[int]()
        make_and_store(folder, "new", asked.append)
        assert asked == list(range(kill["asked"], RECORDS)), kill
        assert contents(folder) == expected, kill
        left = [path for pattern in PASSING for path in folder.rglob(pattern)]
        assert left == [], kill
