"""Memory that runs out: the message names what to do, what was finished stays, and it goes on."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from sl_dagster.errors import UserError
from sl_dagster.paths import PROJECT_ROOT
from tests.resources.train import trained
from tests.training.examples import new_job

pytestmark = pytest.mark.integration

PROGRAM = [sys.executable, "-m", "tests.resources.short_of_memory"]


def test_in_generation(tmp_path: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, str(tmp_path)], cwd=PROJECT_ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    said, after = done.stdout.splitlines()
    assert "there is too little memory (" in said
    assert "engine.batch_size" in said and "running again continues" in said
    assert after == "goes on", "the engine can be asked for less"


def test_in_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT_ROOT)  # where the program is found
    settings: dict[str, Any] = {"batch_size": 8, "epochs": 6, "checkpoints": 2}
    short = new_job(tmp_path, num_processes=1, launcher=tuple(PROGRAM), **settings)
    text = "The lantern was old, and it shone. " * 60
    rows = [
        {
            "instruction": f"Write about lantern {number}.",
            "prompt": [{"role": "user", "content": f"Write about lantern {number}."}],
            "completion": [{"role": "assistant", "content": text}],
        }
        for number in range(8)
    ]
    Dataset.from_list(rows).to_parquet(str(short.training_set))
    with pytest.raises(UserError, match=r"too little memory \(.* lower training\.batch_size and"):
        trained(short)
    again = short.model_copy(update={"training": new_job(tmp_path, **settings).training})
    Dataset.from_list(rows).to_parquet(str(short.training_set))
    assert trained(again).resumed_at > 0


def test_a_training_that_the_system_has_killed(tmp_path: Path) -> None:
    killed = new_job(tmp_path, num_processes=1, launcher=("bash", "-c", "kill -9 $$"))
    with pytest.raises(UserError, match=r"was killed, perhaps .* lower training\.batch_size"):
        trained(killed)
