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
USE = """
import asyncio, json, sys
from pathlib import Path
from sl_dagster.errors import UserError
from sl_dagster.experiment import Sampling, load_experiment
from sl_dagster.jobs.preview.memory import memory_needed
from sl_dagster.method.prompts import Message
from sl_dagster.resources.adapters import Adapter, adapter_fingerprint
from sl_dagster.resources.base_model import check_base_model
from sl_dagster.resources.engines import Request, open_engine
from sl_dagster.training.job import TrainingJob
from sl_dagster.training.train import train

experiment = load_experiment(Path(sys.argv[1]))
try:
    check_base_model(experiment.base_model, experiment.revision, experiment.chat)
    assert memory_needed(experiment).weights > 0
    folder = Path(sys.argv[2])
    job = TrainingJob(
        name="n", project="p", base_model=experiment.base_model, revision=experiment.revision,
        previous_adapter=None, training_set=folder / "records.parquet", output=folder / "adapter",
        training=experiment.training, seed=1,
    )
    train(job, pipes=None)
    adapter = Adapter("generator", adapter_fingerprint(job.output), str(job.output), 1)
    engine = open_engine(experiment.served)
    sampling = Sampling(temperature=0, max_tokens=3, stop=())
    question = Message(role="user", content="Write.")
    for one in (Adapter("generator", "base-1"), adapter):
        print(asyncio.run(engine.complete(Request(question, sampling, 1, one))).tokens)
    engine.close()
except UserError as error:
    print(error)
"""


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
        [sys.executable, "-c", USE, str(experiment), str(tmp_path)],
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
