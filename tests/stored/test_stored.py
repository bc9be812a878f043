"""What an earlier commit has stored is loaded, is up to date, and is gone on from."""

import csv
import json
import shutil
import statistics
import tarfile
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest

from sl_dagster.definitions import defs
from sl_dagster.jobs.staleness import Staleness
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_key import StageKey
from tests.assets.conftest import Project
from tests.stored.make import SETTINGS

# How it was before there were these settings.
BEFORE_THE_CHOICE = {"new_prefixes": False, "retry_grown": True}
ARCHIVES = sorted(Path(__file__).parent.glob("*.tar.xz"))


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name.partition(".")[0])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """The project of one commit, with the models and seeds of this checkout."""
    with tarfile.open(request.param) as packed:
        packed.extractall(tmp_path, filter="data")
    project = Project(tmp_path / "stored")
    here = {name: SETTINGS[name] for name in ("base_model", "prompts", "seeds")}
    project.change(**here, extension=SETTINGS["extension"] | BEFORE_THE_CHOICE)
    return project


def contents(project: Project, iteration: int) -> dict[str, bytes]:
    """The records and adapters of an iteration, by their paths."""
    folder = project.data / "small"
    found = [*folder.rglob("records.parquet"), *folder.rglob("adapter_model.safetensors")]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in found
        if f"iteration={iteration}" in str(path)
    }


def test_there_is_something_to_read() -> None:
    assert ARCHIVES


def test_lengths_are_those_of_the_files(stored: Project) -> None:
    result = stored.run("stats", "--experiment", "small", "--format", "csv")
    assert result.returncode == 0, result.stdout + result.stderr
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert {row["iteration"] for row in rows} == {"0", "1", "2"}
    for row in rows:
        folder = f"iteration={row['iteration']}" if row["iteration"] != "0" else "."
        file = stored.data / "small" / row["stage"] / folder / "records.parquet"
        words = pq.read_table(file, columns=["words"])["words"].to_pylist()
        assert float(row["mean"]) == pytest.approx(statistics.mean(words)), row["stage"]


def test_growth_counts_the_stored_answers(stored: Project) -> None:
    result = stored.run("growth", "--experiment", "small")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "on 4 held-out instructions" in result.stdout
    assert "0 (base)" in result.stdout


def test_nothing_is_out_of_date(stored: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stored.environment.items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.get() as instance:
        found = Staleness(instance, defs(), "small").verdicts("1")
        assert found and not [one for one in found if one.why]


@pytest.mark.integration
def test_a_new_history_finds_the_adapters(stored: Project) -> None:
    shutil.rmtree(stored.root / "home")
    (stored.root / "home").mkdir()
    second = ("run", "-e", "small", "--from", "2", "--iterations", "2")
    result = stored.run(*second, "--only", "previous_generator")
    assert result.returncode == 0, result.stdout + result.stderr
    adapters = AdapterStore(data_dir=str(stored.data))
    trained = adapters.read(StageKey("small", "generator_lora", 1)).adapter
    assert adapters.read(StageKey("small", "previous_generator", 2)).adapter == trained
    shutil.rmtree(stored.data / "small" / "extender_lora")
    result = stored.run(*second, "--only", "previous_extender")
    assert result.returncode == 1
    assert "extender_lora of iteration 1, which has not been made yet" in result.stderr


@pytest.mark.integration
def test_the_loop_goes_on(stored: Project) -> None:
    before = contents(stored, 1)
    result = stored.run("run", "--experiment", "small")
    assert result.returncode == 0, result.stdout + result.stderr
    assert contents(stored, 1) == before, "iteration 1 is reused, not made again"
    assert "continuing:" in result.stdout, "the journal of the killed run is read"
    first, second = (stored.data / "small" / "generator_lora" / f"iteration={i}" for i in (1, 2))
    job = json.loads(next(second.glob("*/job.json")).read_text())
    assert Path(job["previous_adapter"]).parent == first, "trained on from the stored adapter"
