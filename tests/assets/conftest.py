"""A small loop on the miniature model: the real command line, engine, trainer and storage."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import yaml
from filelock import FileLock

from sl_dagster.experiment import Experiment, load_experiment
from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage
from tests.conftest import called

DEMO = PROJECT_ROOT / "sl_dagster" / "demo"
SETTINGS = {
    "base_model": str(DEMO / "model"),
    "prompts": {"en": str(DEMO / "prompts.yaml")},
    "seeds": str(PROJECT_ROOT / "seeds" / "demo.jsonl"),
    "heldout": {"file": "heldout.jsonl"},
    "iterations": 3,
    "sampling": {"temperature": 0.8, "top_p": 0.95, "top_k": 50, "repetition_penalty": 1.0},
    "instructions": {"count": 10, "max_similarity": 1, "sampling": {"max_tokens": 60}},
    "initial_responses": {"samples": 2, "tries": 3, "sampling": {"max_tokens": 300}},
    "extension": {"rounds": 2, "samples": 1, "tries": 2, "max_tokens_per_input_word": 4.0},
    "training": {"learning_rate": 2.0e-3, "epochs": 2, "batch_size": 8},
    "dataset": {"collect": 4, "validation_split": 0.2},
    "length_control": {
        "min_words": 50,
        "max_words": 800,
        "roundings": [25, 50],
        "tries": 2,
        "sampling": {"max_tokens": 80},
    },
    "aligned_model": {"training": {"epochs": 1}},
}


GENERATED = ("instructions", "initial_responses", "round1_stage1", "round1_stage2",
             "round2_stage1", "round2_stage2")  # fmt: skip
STAGES = (*GENERATED, "extended_responses", "generator_sft", "extender_sft", "heldout_responses")


@dataclass
class Project:
    """A folder with an experiment, its data and its own Dagster history."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def folders(self) -> dict[str, str]:
        """The variables that say where everything lies."""
        return {
            "SL_DAGSTER_EXPERIMENTS": str(self.root / "experiments"),
            "SL_DAGSTER_DATA": str(self.data),
            "DAGSTER_HOME": str(self.root / "home"),
        }

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | self.folders

    @property
    def experiment(self) -> Experiment:
        return load_experiment(self.root / "experiments" / "small.yaml")

    def change(self, **settings) -> None:
        """Change settings of the experiment file."""
        path = self.root / "experiments" / "small.yaml"
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | settings))

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "sl_dagster.cli", *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call the command line in this process."""
        return called(*arguments, environment=self.folders)

    def run_as_a_program(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def materialize(self, asset: str, partition: str) -> subprocess.CompletedProcess[str]:
        """Materialize one asset of one iteration alone, with Dagster's own command line."""
        command = [sys.executable, "-m", "dagster", "asset", "materialize"]
        command += ["-m", "sl_dagster.definitions"]
        command += ["--select", f"key:small/{asset}", "--partition", partition]
        return subprocess.run(
            command,
            env=self.environment,
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )

    def stage(self, name: str, iteration: int | None) -> StoredStage:
        """A stored stage."""
        return StageStore(data_dir=str(self.data)).read(StageKey("small", name, iteration))

    def copy(self, root: Path) -> "Project":
        """The same project elsewhere, with its data and history."""
        shutil.copytree(self.root, root)
        return Project(root)


def measured_twice(project: Project) -> tuple[Counter[tuple], Counter[tuple]]:
    """What is measured of all records of two iterations: in the database, and in the files."""
    columns = "SELECT stage, iteration, record_id, words, kept, drop_reason FROM "
    with duckdb.connect(str(project.data / "lengths.duckdb"), read_only=True) as connection:
        in_database = Counter(connection.execute(f"{columns} record_lengths").fetchall())
    stages = [project.stage(name, None) for name in ("seeds", "heldout_base")]
    stages += [project.stage(name, iteration) for name in STAGES for iteration in (1, 2)]
    paths = [path for stage in stages for path in (stage.path, stage.rejected_path)]
    found = [[str(path) for path in paths if path.exists()]]
    with duckdb.connect() as memory:
        in_files = memory.execute(f"{columns} read_parquet(?)", found).fetchall()
    return in_database, Counter(in_files)


def new_project(root: Path) -> Project:
    """A project on which nothing has been run yet."""
    (root / "experiments").mkdir(parents=True)
    (root / "home").mkdir()
    shutil.copy(PROJECT_ROOT / "dagster.yaml", root / "home")
    heldout = (DEMO / "heldout.jsonl").read_text().splitlines()[:6]
    (root / "experiments" / "heldout.jsonl").write_text("\n".join(heldout))
    (root / "experiments" / "small.yaml").write_text(json.dumps(SETTINGS))
    return Project(root)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose first two iterations have been run. Not to be changed: copy it.

    It takes minutes to make, so there is one for all of pytest's processes.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # each process has a folder of its own in it
    root = folder / "finished"
    with FileLock(folder / "finished.lock"):
        if not (root / "run.txt").exists():
            shutil.rmtree(root, ignore_errors=True)
            made = new_project(root)
            result = made.run_as_a_program("run", "--experiment", "small", "--iterations", "2")
            assert result.returncode == 0, result.stdout + result.stderr
            (root / "run.txt").write_text(result.stdout)
    return Project(root)


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project, to do with as one likes."""
    return finished.copy(tmp_path / "project")


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """A project on which nothing has been run yet."""
    return new_project(tmp_path / "project")
