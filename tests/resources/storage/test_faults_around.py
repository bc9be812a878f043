"""A disk that is full at any write, and folders that cannot be written: what was good stays."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.resources.storage.stage_store import StageStore
from tests.resources.storage.storing import SEEDS, contents

PROGRAM = [sys.executable, "-m", "tests.resources.storage.storing"]


def run(folder: Path, fingerprint: str, full_at: str = "", limit: int = 0) -> list[str]:
    done = subprocess.run(
        [*PROGRAM, str(folder), fingerprint, *([full_at, str(limit)] if full_at else [])],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a first result; nothing changes it."""
    folder = tmp_path_factory.mktemp("stored")
    assert run(folder, "old")[-1] == "DONE"
    return folder


@pytest.fixture
def data(stored: Path, tmp_path: Path) -> Path:
    """A copy of it, to do with as one likes."""
    return shutil.copytree(stored, tmp_path / "data")


@pytest.fixture(scope="module")
def undisturbed(stored: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    """What a data folder holds after each of two results that nothing disturbs."""
    folder = shutil.copytree(stored, tmp_path_factory.mktemp("undisturbed") / "data")
    old = contents(folder)
    assert run(folder, "new")[-1] == "DONE"
    return {"old": old, "new": contents(folder)}


@pytest.mark.parametrize(
    ("full_at", "limit", "told"),
    [
        ("journal", 9_000, "FAILED the journal: the disk is full"),
        ("draft", 4_000, "FAILED e/seeds: cannot write "),
        ("expect", 40, "FAILED e/seeds: cannot be stored: the disk is full"),
        ("catch_up", 100, "lengths.duckdb cannot be used "),
        ("make_current", 40, "FAILED e/generator_lora: cannot be stored: the disk is full"),
    ],
)
def test_a_disk_that_is_full_at_any_write(
    data: Path, full_at: str, limit: int, told: str, undisturbed: dict[str, list]
) -> None:
    first = run(data, "new", full_at, limit)
    said = [line for line in first if line.startswith(("FAILED", "WARNING"))]
    assert told in said[0]
    assert all("free some space" in line for line in said)
    assert contents(data)[0] in (undisturbed["old"][0], undisturbed["new"][0])
    second = run(data, "new")
    assert second[-1] == "DONE"
    asked = [[line for line in lines if line.startswith("ASKED")] for lines in (first, second)]
    finished = asked[0][:-1] if full_at == "journal" else asked[0]
    assert not {*finished} & {*asked[1]}, "what was finished is not asked again"
    assert contents(data) == undisturbed["new"]
    assert not list(data.glob("e/seeds/.draft-*"))


def test_a_truncated_file_is_told_and_made_anew(data: Path) -> None:
    stages = StageStore(data_dir=str(data))
    path = stages.read(SEEDS).path
    whole = path.read_bytes()
    for size in (0, 3, 8, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert stages.find(SEEDS, "old") is None
    assert run(data, "old")[-1] == "DONE"
    assert stages.find(SEEDS, "old")


def test_a_folder_that_is_read_only(data: Path, tmp_path: Path) -> None:
    """The command line reads, and what would write says which file and what to do."""
    program = f"""
import json, sys
from tests.resources.storage.test_faults_around import *
print(json.dumps(contents(Path({str(data)!r}))[1]))
print(run(Path({str(data)!r}), "new")[-1])
"""
    script = f"mount --bind {data} {data} && mount -o remount,ro,bind {data} && exec $0 -c '$P'"
    command = ["unshare", "--mount", "--map-root-user", "bash", "-c"]
    if subprocess.run([*command, f"mount --bind {data} {data}"], capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a folder read-only")
    (tmp_path / "program.py").write_text(program)
    script = script.replace("-c '$P'", str(tmp_path / "program.py"))
    done = subprocess.run(
        [*command, script, sys.executable],
        env=os.environ | {"PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    stats, failure = done.stdout.splitlines()
    assert json.loads(stats) == contents(data)[1]
    assert failure.startswith("FAILED ")
    assert "Read-only file system" in failure and "SL_DAGSTER_DATA" in failure
