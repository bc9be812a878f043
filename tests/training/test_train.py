"""Fine-tuning: what is learnt, what is reported, and what a training that was killed does."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from sl_dagster.errors import UserError
from sl_dagster.experiment import Lora
from sl_dagster.resources.adapters import WEIGHTS_FILE, Adapter, adapter_fingerprint
from sl_dagster.training.checkpoints import _sizes, step_of
from sl_dagster.training.job import CHECKPOINTS, TrainingJob
from sl_dagster.training.train import train
from tests.conftest import DEMO_MODEL
from tests.training.examples import ROWS, new_job

pytestmark = pytest.mark.integration


@pytest.fixture
def job(tmp_path: Path) -> TrainingJob:
    return new_job(tmp_path)


def changed(job: TrainingJob, output: str = "adapter", **training: Any) -> TrainingJob:
    """The same job with other hyper-parameters."""
    settings = job.training.model_copy(update=training)
    return job.model_copy(update={"training": settings, "output": job.output.with_name(output)})


def weights(job: TrainingJob) -> dict[str, torch.Tensor]:
    return load_file(job.output / WEIGHTS_FILE)


def are_close(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    assert first.keys() == second.keys()
    return all(torch.allclose(first[name], second[name], atol=1e-5) for name in first)


def test_training_lowers_the_loss_and_reports(job: TrainingJob) -> None:
    outcome = train(job, pipes=None)
    assert outcome.examples == 6
    assert outcome.steps == 9
    assert [point.step for point in outcome.losses] == list(range(1, 10))
    assert outcome.losses[-1].loss < outcome.losses[0].loss
    assert outcome.tokens > 9 * 20
    assert outcome.tokens_per_second > 0
    assert (outcome.truncated, outcome.left_out, outcome.resumed_at) == (0, 0, 0)
    assert (outcome.evaluation_examples, outcome.evaluation_losses) == (0, [])
    assert outcome.longest > 20
    assert len(adapter_fingerprint(job.output)) == 16


def test_truncated_examples_are_counted(job: TrainingJob) -> None:
    longest = train(changed(job, epochs=1), pipes=None).longest
    outcome = train(changed(job, "short", max_length=longest - 5, epochs=1), pipes=None)
    assert (outcome.truncated, outcome.left_out, outcome.examples) == (6, 0, 6)
    assert outcome.longest == longest
    assert outcome.tokens <= 6 * (longest - 5)


def test_an_example_whose_answer_is_cut_off_is_left_out(job: TrainingJob) -> None:
    long_prompt = [{"role": "user", "content": "Write about lantern 0. " * 40}]
    rows = [*ROWS, ROWS[0] | {"prompt": long_prompt}]
    Dataset.from_list(rows).to_parquet(str(job.training_set))
    outcome = train(changed(job, max_length=100, epochs=1), pipes=None)
    assert (outcome.truncated, outcome.left_out, outcome.examples) == (1, 1, 6)


def test_a_limit_below_every_prompt_is_told(job: TrainingJob) -> None:
    with pytest.raises(UserError, match=r"training\.max_length: 5 tokens hold no more than the"):
        train(changed(job, max_length=5), pipes=None)


def test_an_evaluation_split_holds_back_whole_instructions(job: TrainingJob) -> None:
    outcome = train(changed(job, evaluation_split=0.3), pipes=None)
    assert (outcome.examples, outcome.evaluation_examples) == (4, 2)  # one of three instructions
    assert [point.step for point in outcome.evaluation_losses] == [0, 2, 4, 6]
    assert outcome.evaluation_losses[-1].loss < outcome.evaluation_losses[0].loss


def test_a_split_that_the_data_brings_along_is_kept_to(job: TrainingJob) -> None:
    rows = [row | {"split": "validation" if k < 2 else "train"} for k, row in enumerate(ROWS)]
    Dataset.from_list(rows).to_parquet(str(job.training_set))
    outcome = train(changed(job, epochs=1), pipes=None)
    assert (outcome.examples, outcome.evaluation_examples) == (4, 2)
    rows = [row | {"split": "validation"} for row in ROWS]
    Dataset.from_list(rows).to_parquet(str(job.training_set))
    with pytest.raises(UserError, match=r"dataset\.validation_split: all 6 pairs are held back"):
        train(changed(job, "none"), pipes=None)


def test_all_weights_can_be_trained(job: TrainingJob) -> None:
    job = changed(job, epochs=1, learning_rate=1e-3).model_copy(update={"all_weights": True})
    outcome = train(job, pipes=None)
    assert outcome.losses[-1].loss < outcome.losses[0].loss
    model: Any = AutoModelForCausalLM.from_pretrained(job.output)
    base: Any = AutoModelForCausalLM.from_pretrained(DEMO_MODEL, dtype=torch.float32)
    assert not isinstance(model, PeftModel)
    changes = [
        not torch.equal(one, other)
        for one, other in zip(model.float().parameters(), base.parameters(), strict=True)
    ]
    assert sum(changes) > 0.9 * len(changes)
    assert AutoTokenizer.from_pretrained(job.output).chat_template
    found = Adapter("aligned", adapter_fingerprint(job.output), str(job.output))
    assert found.verified().is_whole_model
    (job.output / "model.safetensors").write_bytes(b"x")
    with pytest.raises(UserError, match="Materialize aligned_model again"):
        found.verified()


def test_a_split_that_leaves_nothing_is_told(job: TrainingJob) -> None:
    with pytest.raises(UserError, match=r"training\.evaluation_split: 0\.9 of 6 examples leaves 0"):
        train(changed(job, evaluation_split=0.9), pipes=None)


def test_packed_examples_do_not_see_each_other(job: TrainingJob) -> None:
    """The first loss of all examples in one step is the same, packed or not."""
    apart = train(changed(job, "apart", epochs=1, batch_size=6, precision="fp32"), pipes=None)
    longest = {"prompt": [{"role": "user", "content": "Lantern " * 150}]}
    Dataset.from_list([*ROWS, ROWS[0] | longest]).to_parquet(str(job.training_set))
    settings = {"epochs": 1, "batch_size": 2, "precision": "fp32"}
    packed = train(changed(job, "packed", packing=True, **settings), pipes=None)
    assert packed.steps == 1  # six short ones in one sequence, the long one in another
    alone = train(changed(job, "alone", **settings | {"batch_size": 7}), pipes=None)
    assert packed.losses[0].loss == pytest.approx(alone.losses[0].loss, abs=1e-4)
    assert apart.losses[0].loss != pytest.approx(alone.losses[0].loss, abs=1e-4)


def test_gradient_checkpointing_changes_nothing(job: TrainingJob) -> None:
    plain = changed(job, "plain", epochs=1, gradient_checkpointing=False)
    recomputed = changed(job, "recomputed", epochs=1, gradient_checkpointing=True)
    for each in (plain, recomputed):
        train(each, pipes=None)
    assert are_close(weights(plain), weights(recomputed))


def test_the_seed_decides_a_new_adapters_weights(job: TrainingJob) -> None:
    first, again, other = (changed(job, name, epochs=1) for name in ("first", "again", "other"))
    other = other.model_copy(update={"seed": 2})
    for each in (first, again, other):
        train(each, pipes=None)
    assert are_close(weights(first), weights(again))
    assert not are_close(weights(first), weights(other))


def test_chosen_layers_get_an_adapter(job: TrainingJob) -> None:
    lora = Lora(rank=4, alpha=8, target_modules=("q_proj", "v_proj"))
    job = changed(job, lora=lora, epochs=1)
    train(job, pipes=None)
    assert {name.split(".")[-3] for name in weights(job)} == {"q_proj", "v_proj"}


def test_an_unknown_layer_is_told(job: TrainingJob) -> None:
    with pytest.raises(UserError, match=r"target_modules: .* has no layer 'query'; .*q_proj"):
        train(changed(job, lora=Lora(target_modules=("query",))), pipes=None)


def test_a_previous_adapter_is_continued(job: TrainingJob) -> None:
    train(job, pipes=None)
    second = changed(job, "second", learning_rate=1e-9, epochs=1)
    second = second.model_copy(update={"previous_adapter": job.output})
    train(second, pipes=None)
    assert are_close(weights(job), weights(second))
    # A new adapter would begin with B = 0 and so not come close to the first.
    assert any(part.abs().max() > 1e-3 for name, part in weights(job).items() if "lora_B" in name)


def test_an_adapter_keeps_its_shape(job: TrainingJob) -> None:
    train(changed(job, epochs=1), pipes=None)
    second = changed(job, "second", lora=Lora(rank=8, alpha=8))
    second = second.model_copy(update={"previous_adapter": job.output})
    with pytest.raises(UserError, match=r"training\.lora\.rank: 8, but .* has 4"):
        train(second, pipes=None)


def test_a_killed_training_goes_on_from_its_checkpoint(job: TrainingJob) -> None:
    undisturbed = changed(job, "undisturbed", epochs=30)
    expected = train(undisturbed, pipes=None)
    killed = changed(job, "killed", epochs=30)
    killed.output.mkdir()
    file = killed.output / "job.json"
    file.write_text(killed.model_dump_json())
    process = subprocess.Popen([sys.executable, "-m", "sl_dagster.training.train", str(file)])
    checkpoints = killed.output / CHECKPOINTS
    while len(list(checkpoints.glob("checkpoint-*/whole.json"))) < 2:
        assert process.poll() is None, "the training ended too early"
        time.sleep(0.01)
    process.kill()
    process.wait()
    before = hours_passed(newest(checkpoints))
    for step, tear in ((80, tear_the_state), (81, tear_the_weights), (82, tear_the_end)):
        shutil.copytree(newest(checkpoints), checkpoints / f"checkpoint-{step}")
        tear(checkpoints / f"checkpoint-{step}")
    outcome = train(killed, pipes=None)
    assert 0 < outcome.resumed_at < 80, "what was being written when the power went is of no use"
    assert outcome.steps == expected.steps == 90
    assert [point.step for point in outcome.losses] == list(range(1, 91))
    assert outcome.tokens == expected.tokens
    assert outcome.seconds > before
    assert are_close(weights(killed), weights(undisturbed))


def newest(checkpoints: Path) -> Path:
    whole = checkpoints.glob("checkpoint-*/whole.json")
    return max((path.parent for path in whole), key=lambda path: path.stat().st_mtime)


def hours_passed(checkpoint: Path) -> float:
    """Let hours have passed before a checkpoint; in seconds. No file of it changes its size."""
    path = checkpoint / "trainer_state.json"
    state = path.read_text()
    [seconds] = re.findall(r'"attributes": \{\s*"seconds": ([\d.]+)', state)
    later = "9" * 5 + "." + "9" * (len(seconds) - 6)
    path.write_text(state.replace(seconds, later))
    return float(later)


def tear_the_state(checkpoint: Path) -> None:
    os.truncate(checkpoint / "trainer_state.json", 9)


def tear_the_weights(checkpoint: Path) -> None:
    weights = checkpoint / WEIGHTS_FILE
    os.truncate(weights, weights.stat().st_size // 2)


def tear_the_end(checkpoint: Path) -> None:
    (checkpoint / "whole.json").unlink()


class RunsCode:
    """A pickle that makes a file where it is loaded."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (str(self._file), "w"))


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_a_checkpoint_cannot_run_code(job: TrainingJob, tmp_path: Path, name: str) -> None:
    job = changed(job, epochs=2, checkpoints=2)
    train(job, pipes=None)
    # From the first of them there is something left to train.
    checkpoint, *later = sorted((job.output / CHECKPOINTS).glob("checkpoint-*"), key=step_of)
    for one in later:
        shutil.rmtree(one)
    assert (checkpoint / name).is_file()
    torch.save(RunsCode(tmp_path / "was_run"), checkpoint / name)
    (checkpoint / "whole.json").write_text(json.dumps(_sizes(checkpoint)))
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        train(job, pipes=None)
    assert not (tmp_path / "was_run").exists()


def test_without_checkpoints_none_are_written(job: TrainingJob) -> None:
    train(changed(job, checkpoints=0, epochs=1), pipes=None)
    assert not list((job.output / CHECKPOINTS).glob("checkpoint-*"))
