"""Base models by their id on the hub, where there is no network."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.families import FAMILIES, build_model

pytestmark = pytest.mark.integration

NAME = "somebody/small-model"
# In a process of its own, since the hub's client reads its settings when it is imported.
USE = Path(__file__).with_name("use_base_model.py")


def use_offline(tmp_path: Path, write_experiment) -> list[str]:
    """What is said when an experiment's model is checked, trained and asked, without a network."""
    from datasets import Dataset

    row = {
        "instruction": "Write.",
        "prompt": [{"role": "user", "content": "Write."}],
        "completion": [{"role": "assistant", "content": "It shone."}],
    }
    Dataset.from_list([row, row]).to_parquet(str(tmp_path / "records.parquet"))
    experiment = write_experiment(base_model=NAME, training={"epochs": 1, "lora": {"rank": 2}})
    offline = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, str(USE), str(experiment), str(tmp_path)],
        env=os.environ | offline,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_model_of_the_hubs_cache_needs_no_network(tmp_path: Path, write_experiment) -> None:
    cached = tmp_path / "hf" / "hub" / "models--somebody--small-model"
    build_model(FAMILIES["qwen2"], tmp_path / "made")
    shutil.copytree(tmp_path / "made", cached / "snapshots" / "0123456789")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("0123456789")
    assert use_offline(tmp_path, write_experiment)[-2:] == ["3", "3"]
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == NAME


def test_a_model_that_is_not_there_is_named(tmp_path: Path, write_experiment) -> None:
    said = "\n".join(use_offline(tmp_path, write_experiment))
    assert f"base_model: {NAME} cannot be loaded" in said
