"""LoRA fine-tuning of one role, started by ``accelerate launch -m sl_dagster.training.train JOB``.

TRL's SFTTrainer on prompt/completion chat messages: the loss falls on the completion only (paper,
section 3.4). Progress and the outcome go to the Dagster run through Dagster Pipes.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import psutil
import torch
from accelerate import PartialState
from dagster_pipes import PipesContext, open_dagster_pipes
from datasets import Dataset, load_dataset
from peft import LoraConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
from transformers.utils import logging as transformers_logging
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from sl_dagster.progress import duration
from sl_dagster.training.job import (
    OUTCOME,
    RUN_PID_VARIABLE,
    LossPoint,
    TrainingJob,
    TrainingOutcome,
)

_SECONDS_BETWEEN_REPORTS = 2.0


def main() -> None:
    """Run the job whose file is named on the command line."""
    _end_with_the_run()
    datasets.disable_progress_bars()
    transformers_logging.disable_progress_bar()
    job = TrainingJob.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with _pipes() as pipes:
        outcome = train(job, pipes)
        if pipes:
            pipes.report_custom_message({OUTCOME: outcome.model_dump()})


def train(job: TrainingJob, pipes: PipesContext | None) -> TrainingOutcome:
    """Fine-tune one role and write its adapter to ``job.output``.

    Args:
        job: what to train on what.
        pipes: where the progress goes; None on every process but the main one.
    """
    tokenizer = AutoTokenizer.from_pretrained(job.base_model, revision=job.revision)
    examples = _examples(job)
    lengths = _lengths(examples, tokenizer)
    trainer = make_trainer(job, examples, tokenizer)
    if pipes:
        trainer.add_callback(_Progress(pipes))
    start = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - start
    if trainer.is_world_process_zero():
        trainer.accelerator.unwrap_model(trainer.model).save_pretrained(job.output)
    log: list[dict[str, Any]] = trainer.state.log_history
    return TrainingOutcome(
        examples=len(examples),
        truncated=sum(length > job.training.max_length for length in lengths),
        longest=max(lengths),
        tokens=int(max((entry.get("num_tokens", 0) for entry in log), default=0)),
        steps=trainer.state.global_step,
        seconds=seconds,
        losses=[LossPoint(step=e["step"], loss=e["loss"]) for e in log if "loss" in e],
    )


def make_trainer(job: TrainingJob, examples: Dataset, tokenizer: Any) -> SFTTrainer:
    """The trainer of a job, whose loss falls on the completions and their end-of-turn tokens."""
    model, new_adapter = _model(job)
    trainer = SFTTrainer(
        model=model,
        args=_arguments(job),
        train_dataset=examples,
        processing_class=tokenizer,
        peft_config=new_adapter,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _examples(job: TrainingJob) -> Dataset:
    examples = load_dataset("parquet", data_files=str(job.training_set), split="train")
    assert isinstance(examples, Dataset)
    return examples.select_columns(["prompt", "completion"])


def _model(job: TrainingJob) -> tuple[Any, LoraConfig | None]:
    """The model to train and, when no adapter is continued, the shape of the new one."""
    model = AutoModelForCausalLM.from_pretrained(
        job.base_model, revision=job.revision, dtype=torch.float32
    )
    if job.previous_adapter:
        return PeftModel.from_pretrained(model, job.previous_adapter, is_trainable=True), None
    lora = job.training.lora
    return model, LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _arguments(job: TrainingJob) -> SFTConfig:
    training = job.training
    return SFTConfig(
        output_dir=str(job.output / "trainer"),
        num_train_epochs=training.epochs,
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.scheduler,
        warmup_steps=training.warmup_ratio,
        per_device_train_batch_size=training.batch_size,
        gradient_accumulation_steps=training.gradient_accumulation,
        max_length=training.max_length,
        completion_only_loss=True,
        bf16=training.precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        # Recomputing activations saves memory that only a GPU is short of.
        gradient_checkpointing=torch.cuda.is_available(),
        logging_steps=1,
        logging_first_step=True,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=job.seed,
        data_seed=job.seed,
    )


def _lengths(examples: Dataset, tokenizer: Any) -> list[int]:
    """The examples' lengths in tokens, as the chat template renders them."""

    def length(example: dict[str, Any]) -> dict[str, int]:
        text = tokenizer.apply_chat_template(
            example["prompt"] + example["completion"], tokenize=False
        )
        return {"length": len(tokenizer(text, add_special_tokens=False)["input_ids"])}

    return list(examples.map(length, remove_columns=examples.column_names)["length"])


class _Progress(TrainerCallback):
    """Tells the run how far the training is, at a bearable rate."""

    def __init__(self, pipes: PipesContext) -> None:
        self._pipes = pipes
        self._start = time.monotonic()
        self._last_report = self._start

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._start = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        now = time.monotonic()
        loss = (logs or {}).get("loss")
        last = state.global_step == state.max_steps
        if loss is None or (now - self._last_report < _SECONDS_BETWEEN_REPORTS and not last):
            return
        self._last_report = now
        left = (now - self._start) / state.global_step * (state.max_steps - state.global_step)
        self._pipes.log.info(
            f"step {state.global_step}/{state.max_steps}, loss {loss:.3f}, {duration(left)} left"
        )


@contextlib.contextmanager
def _pipes() -> Iterator[PipesContext | None]:
    """The connection to the Dagster run; only the main process of several has it."""
    if not PartialState().is_main_process:
        yield None
        return
    with open_dagster_pipes() as pipes:
        yield pipes


def _end_with_the_run() -> None:
    """Watch the launcher and the Dagster run, and end when one of them is gone.

    A run that is cancelled or killed reaches only the launcher, which does not pass it on.
    """
    launcher = os.getppid()
    run = int(os.environ.get(RUN_PID_VARIABLE, launcher))

    def watch() -> None:
        while os.getppid() == launcher and psutil.pid_exists(run):
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="watch-run", daemon=True).start()


if __name__ == "__main__":
    main()
