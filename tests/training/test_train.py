"""Fine-tuning: where the loss falls, and that an adapter is continued."""

from pathlib import Path

import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file
from transformers import AutoTokenizer

from sl_dagster.adapters import WEIGHTS_FILE, adapter_fingerprint
from sl_dagster.experiment import Lora, Training
from sl_dagster.training.job import TrainingJob
from sl_dagster.training.train import make_trainer, train
from tests.conftest import DEMO_MODEL

pytestmark = pytest.mark.integration

ROWS = [
    {
        "prompt": [{"role": "user", "content": f"Write about lantern {number}."}],
        "completion": [{"role": "assistant", "content": f"Lantern {number} was old.\n\nIt shone."}],
    }
    for number in range(6)
]


@pytest.fixture
def job(tmp_path: Path) -> TrainingJob:
    training_set = tmp_path / "records.parquet"
    Dataset.from_list(ROWS).to_parquet(str(training_set))
    return TrainingJob(
        base_model=str(DEMO_MODEL),
        revision="main",
        previous_adapter=None,
        training_set=training_set,
        output=tmp_path / "adapter",
        training=Training(lora=Lora(rank=4, alpha=8), learning_rate=1e-2, epochs=3, batch_size=2),
        seed=1,
    )


def test_the_loss_falls_on_the_completion_and_its_end_only(job: TrainingJob) -> None:
    tokenizer = AutoTokenizer.from_pretrained(DEMO_MODEL)
    trainer = make_trainer(job, Dataset.from_list(ROWS), tokenizer)
    for batch in trainer.get_train_dataloader():
        for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
            whole = tokenizer.decode(ids[ids != tokenizer.pad_token_id])
            learned = tokenizer.decode(labels[labels != -100])
            prompt, _, answer = whole.partition("<|im_start|>assistant\n")
            assert "Write about" in prompt
            assert learned.startswith("Lantern")
            # The end-of-turn token must be learned; a template may put a line end after it.
            assert learned.rstrip("\n").endswith("It shone.<|im_end|>")
            assert answer.startswith(learned.rstrip("\n"))


def test_training_lowers_the_loss_and_reports(job: TrainingJob) -> None:
    outcome = train(job, pipes=None)
    assert outcome.examples == 6
    assert outcome.steps == 9
    assert [point.step for point in outcome.losses] == list(range(1, 10))
    assert outcome.losses[-1].loss < outcome.losses[0].loss
    assert outcome.tokens > 9 * 20
    assert outcome.truncated == 0
    assert outcome.longest > 20
    assert len(adapter_fingerprint(job.output)) == 16


def test_truncated_examples_are_counted(job: TrainingJob) -> None:
    short = job.training.model_copy(update={"max_length": 20, "epochs": 1})
    outcome = train(job.model_copy(update={"training": short}), pipes=None)
    assert outcome.truncated == 6


def test_a_previous_adapter_is_continued(job: TrainingJob, tmp_path: Path) -> None:
    train(job, pipes=None)
    barely = job.training.model_copy(update={"learning_rate": 1e-9, "epochs": 1})
    changes = {
        "previous_adapter": job.output,
        "output": tmp_path / "second",
        "training": barely,
    }
    train(job.model_copy(update=changes), pipes=None)
    first = load_file(job.output / WEIGHTS_FILE)
    second = load_file(tmp_path / "second" / WEIGHTS_FILE)
    assert first.keys() == second.keys()
    assert all(torch.allclose(first[name], second[name], atol=1e-6) for name in first)
    # A new adapter would begin with B = 0 and so not come close to the first.
    assert any(first[name].abs().max() > 1e-3 for name in first if "lora_B" in name)
