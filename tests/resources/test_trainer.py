"""Starting trainings: what a machine must have, how they are launched, and how they fail."""

from pathlib import Path

import dagster as dg
import pytest
from datasets import Dataset

from sl_dagster.errors import UserError
from sl_dagster.experiment import Training
from sl_dagster.resources import trainer
from sl_dagster.resources.trainer import Trainer
from sl_dagster.training.job import TrainingJob
from tests.conftest import DEMO_MODEL


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch):
    """Sets how many GPUs the machine seems to have."""

    def have(count: int) -> None:
        monkeypatch.setattr(trainer, "visible_gpus", lambda: count)

    have(0)
    return have


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch):
    """Sets which packages seem to be installed; none at first."""
    packages: set[str] = set()
    monkeypatch.setattr(trainer, "find_spec", lambda name: name in packages or None)
    return packages


def test_the_defaults_ask_for_nothing(gpus, installed) -> None:
    Trainer().check(Training())


def test_four_bits_need_a_gpu_and_bitsandbytes(gpus, installed) -> None:
    training = Training(quantization="4bit")
    with pytest.raises(UserError, match=r"training\.quantization: 4bit needs an NVIDIA GPU"):
        Trainer().check(training)
    gpus(1)
    with pytest.raises(UserError, match=r"training\.quantization: .*`pip install bitsandbytes`"):
        Trainer().check(training)
    installed.add("bitsandbytes")
    Trainer().check(training)


@pytest.mark.parametrize("tracker", ["tensorboard", "wandb", "trackio"])
def test_a_tracker_must_be_installed(gpus, installed, tracker) -> None:
    training = Training(report_to=(tracker,))
    with pytest.raises(UserError, match=rf"training\.report_to: the package {tracker} is not"):
        Trainer().check(training)
    installed.add(tracker)
    Trainer().check(training)


def test_every_process_needs_a_gpu(gpus) -> None:
    Trainer().check(Training(num_processes=1))
    gpus(8)
    Trainer().check(Training(num_processes=8))
    with pytest.raises(UserError, match=r"training\.num_processes: 9 .* this machine shows 8"):
        Trainer().check(Training(num_processes=9))


def test_all_gpus_are_used_unless_told_otherwise(gpus, tmp_path: Path) -> None:
    def launched(**settings) -> str:
        return " ".join(trainer._command(tmp_path / "job.json", Training(**settings)))

    gpus(8)
    assert "--num_processes" not in launched()  # accelerate takes all
    assert "--num_processes 4 " in launched(num_processes=4)
    config = tmp_path / "fsdp.yaml"
    config.write_text("distributed_type: FSDP\n")
    command = launched(accelerate_config=config, num_processes=4)
    assert f"--num_processes 4 --config_file {config} -m sl_dagster" in command


@pytest.mark.integration
def test_a_mistake_reaches_the_run_in_its_own_words(tmp_path: Path) -> None:
    """From the training program, through Dagster Pipes, without a traceback."""
    rows = [
        {
            "instruction": "Write.",
            "prompt": [{"role": "user", "content": "Write."}],
            "completion": [{"role": "assistant", "content": "It shone."}],
        }
    ]
    Dataset.from_list(rows).to_parquet(str(tmp_path / "records.parquet"))
    (tmp_path / "adapter").mkdir()
    job = TrainingJob(
        name="n",
        project="p",
        base_model=str(DEMO_MODEL),
        revision="main",
        previous_adapter=None,
        training_set=tmp_path / "records.parquet",
        output=tmp_path / "adapter",
        training=Training(max_length=2),
        seed=1,
    )

    @dg.asset
    def adapter(context: dg.AssetExecutionContext, trainer: Trainer) -> None:
        trainer.train(context, job)

    with pytest.raises(UserError, match=r"^training\.max_length: 2 tokens hold no more"):
        dg.materialize([adapter], resources={"trainer": Trainer()})
