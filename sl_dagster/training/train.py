"""Fine-tuning of one role: ``accelerate launch -m sl_dagster.training.train JOB``, or a fork.

TRL's SFTTrainer on examples that are tokenized here: the loss falls on the completion and its
end-of-turn token only (paper, section 3.4). Progress and the outcome go to the Dagster run through
Dagster Pipes. A training that was killed goes on from its last checkpoint.
"""

import contextlib
import dataclasses
import logging
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
from accelerate import Accelerator
from dagster_pipes import PipesContext, open_dagster_pipes
from transformers import PrinterCallback, TrainerCallback
from transformers.utils import logging as transformers_logging
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from sl_dagster.errors import UserError
from sl_dagster.experiment import Training
from sl_dagster.experiment.base import read_yaml
from sl_dagster.experiment.chat import stop_tokens
from sl_dagster.models.base_model import load_tokenizer
from sl_dagster.models.memory import is_short_of_memory, short_of_memory
from sl_dagster.models.saved import let_others_read
from sl_dagster.progress import Pace, Progress, duration
from sl_dagster.training.checkpoints import CheckpointsNoted, Stopwatch, last_checkpoint, step_of
from sl_dagster.training.end_to_end import lay_end_to_end
from sl_dagster.training.examples import TokenizedExamples, tokenized
from sl_dagster.training.job import (
    CHECKPOINTS,
    LESS_MEMORY_TO_TRAIN,
    MISTAKE,
    OUTCOME,
    PROGRESS,
    RUN_PID_VARIABLE,
    LossPoint,
    TrainingJob,
    TrainingOutcome,
)
from sl_dagster.training.weights import adapted, base_model_to_train


def main() -> None:
    """Run the job whose file is named on the command line."""
    run(Path(sys.argv[1]))


def run(job_file: Path) -> None:
    """Run a job, and report its outcome, or the user's mistake, to the Dagster run.

    Args:
        job_file: a ``TrainingJob`` as JSON.
    """
    _end_with_the_run()
    datasets.disable_progress_bars()
    transformers_logging.disable_progress_bar()
    # It warns that it sorts checkpoints by their numbers, which is what is wanted.
    logging.getLogger("transformers.trainer_utils").setLevel(logging.ERROR)
    job = TrainingJob.model_validate_json(job_file.read_text(encoding="utf-8"))
    with _pipes() as pipes:
        try:
            message = {OUTCOME: train(job, pipes).model_dump()}
        except UserError as error:
            # Not a failure of the program: the run that reads this fails, with these words.
            message = {MISTAKE: str(error)}
        except Exception as error:
            if not is_short_of_memory(error):
                raise
            short = short_of_memory(LESS_MEMORY_TO_TRAIN, error)
            # Of several processes perhaps just this one: the others are ended if it fails.
            if int(os.environ.get("WORLD_SIZE", "1")) > 1:
                raise short from error
            message = {MISTAKE: str(short)}
        if pipes:
            pipes.report_custom_message(message)


def train(job: TrainingJob, pipes: PipesContext | None) -> TrainingOutcome:
    """Fine-tune one role and write its adapter to ``job.output``.

    Args:
        job: what to train on what.
        pipes: where the progress goes; None on every process but the main one.

    Raises:
        UserError: the settings do not fit the model, its template, the data or the adapter that
            is continued.
    """
    model = base_model_to_train(job)
    tokenizer = load_tokenizer(job.base_model, job.revision)
    examples = tokenized(job, tokenizer, stop_tokens(model.generation_config, tokenizer))
    checkpoint = last_checkpoint(job.output / CHECKPOINTS)
    trainer = make_trainer(job, model, tokenizer, examples, resumes=checkpoint is not None)
    if pipes:
        _announce(job, examples, checkpoint, pipes)
        trainer.add_callback(_ProgressReport(pipes))
    stopwatch = Stopwatch()
    trainer.add_callback(stopwatch)
    trainer.train(resume_from_checkpoint=checkpoint and str(checkpoint))
    seconds = stopwatch.seconds
    # Sharded weights are gathered by all processes together.
    accelerator = trainer.accelerator
    weights = accelerator.get_state_dict(trainer.model)
    if trainer.is_world_process_zero():
        trained = accelerator.unwrap_model(trainer.model)
        trained.save_pretrained(job.output, state_dict=weights)
        let_others_read(job.output)
        if job.all_weights:
            tokenizer.save_pretrained(job.output)
    log: list[dict[str, Any]] = trainer.state.log_history
    return TrainingOutcome(
        examples=len(examples.train),
        truncated=examples.truncated,
        left_out=examples.left_out,
        longest=examples.longest,
        tokens=int(examples.train_tokens * job.training.epochs),
        steps=trainer.state.global_step,
        resumed_at=step_of(checkpoint) if checkpoint else 0,
        seconds=seconds,
        gpus=0 if accelerator.device.type == "cpu" else accelerator.num_processes,
        losses=[LossPoint(step=e["step"], loss=e["loss"]) for e in log if "loss" in e],
        evaluation_examples=len(examples.evaluation or ()),
        evaluation_losses=[
            LossPoint(step=e["step"], loss=e["eval_loss"]) for e in log if "eval_loss" in e
        ],
    )


def make_trainer(
    job: TrainingJob,
    model: Any,
    tokenizer: Any,
    examples: TokenizedExamples,
    resumes: bool = False,
) -> SFTTrainer:
    """The trainer of a job.

    Args:
        model: the base model.
        resumes: the training goes on from a checkpoint.

    Raises:
        UserError: see ``train``.
    """
    several = job.training.batch_size > 1 or job.training.packing
    end_to_end = several and lay_end_to_end(model)
    model, new_adapter = adapted(job, model)
    trainer = SFTTrainer(
        model=model,
        args=_arguments(job, examples, resumes, end_to_end),
        train_dataset=examples.train,
        eval_dataset=examples.evaluation,
        processing_class=tokenizer,
        peft_config=new_adapter,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(CheckpointsNoted)
    check_launch(trainer.accelerator, job.training)
    return trainer


def check_launch(accelerator: Accelerator, training: Training) -> None:
    """Make sure that the training runs as its settings say.

    What starts several processes may quietly start one, and accelerate replaces FSDP by plain data
    parallelism where it cannot shard.

    Raises:
        UserError: it runs on another number of processes, or distributes its work in another way.
    """
    asked = training.num_processes
    config = read_yaml(training.accelerate_config) if training.accelerate_config else {}
    asked = asked or config.get("num_processes")
    found = accelerator.num_processes
    if asked and asked != found:
        where = "num_processes" if training.num_processes else "accelerate_config"
        raise UserError(
            f"training.{where}: {asked} processes are asked for, and the training program runs as "
            f"{found}: make the launcher start {asked}, or set the number to what it starts"
        )
    way = _asked_way(config)
    if way and accelerator.distributed_type != way:
        where = "launcher" if training.launcher else "accelerate_config"
        raise UserError(
            f"training.{where}: it asks for {way}, and accelerate has made "
            f"{accelerator.distributed_type.value} of it: weights would not be sharded. {way} "
            "needs a GPU for each process"
        )


def _asked_way(config: dict[str, Any]) -> str | None:
    """How weights are to be sharded, by accelerate's configuration or what its launcher sets."""
    for way in ("FSDP", "DEEPSPEED"):
        launched = os.environ.get(f"ACCELERATE_USE_{way}", "").lower() == "true"
        if launched or config.get("distributed_type") == way:
            return way
    return None


def _arguments(
    job: TrainingJob, examples: TokenizedExamples, resumes: bool, end_to_end: bool
) -> SFTConfig:
    training = job.training
    gpu = torch.cuda.is_available()
    checkpointing = training.gradient_checkpointing
    # What trackers' own settings say, where the user has made none.
    os.environ.setdefault("WANDB_PROJECT", job.project)
    os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(job.output / "tensorboard"))
    return SFTConfig(
        output_dir=str(job.output / CHECKPOINTS),
        run_name=job.name,
        project=job.project,
        num_train_epochs=training.epochs,
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.scheduler,
        warmup_steps=training.warmup_ratio,
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=training.batch_size,
        gradient_accumulation_steps=training.gradient_accumulation,
        # Examples are cut already; this is the length of a sequence that several are packed into.
        max_length=min(training.max_length, examples.longest) if training.packing else None,
        packing=training.packing,
        eval_packing=False,
        padding_free=end_to_end,
        completion_only_loss=True,
        bf16=training.precision == "bf16",
        use_cpu=not gpu,
        # Recomputing activations saves memory that only a GPU is short of.
        gradient_checkpointing=gpu if checkpointing is None else checkpointing,
        logging_steps=1,
        logging_first_step=True,
        eval_strategy="epoch" if examples.evaluation else "no",
        eval_on_start=examples.evaluation is not None and not resumes,
        save_strategy="steps" if training.checkpoints else "no",
        save_steps=1 / (training.checkpoints + 1),
        save_total_limit=2,  # the newest may be half written
        report_to=list(training.report_to) or "none",
        disable_tqdm=True,
        seed=job.seed,
        data_seed=job.seed,
    )


def _announce(
    job: TrainingJob, examples: TokenizedExamples, checkpoint: Path | None, pipes: PipesContext
) -> None:
    """Say what the user must not miss."""
    if examples.truncated:
        pipes.log.warning(
            f"{examples.truncated} examples are longer than training.max_length "
            f"({job.training.max_length} tokens; the longest has {examples.longest}) and are cut "
            f"there, so they do not teach how to end; {examples.left_out} of them are left out, "
            "because nothing of their answers remains"
        )
    if checkpoint:
        pipes.log.info(f"continuing the training that was interrupted, at {checkpoint.name}")


class _ProgressReport(TrainerCallback):
    """Tells the run how far the training is, at a bearable rate."""

    def __init__(self, pipes: PipesContext) -> None:
        self._pipes = pipes
        self._pace = Pace()
        self._first_step = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._pace = Pace()
        self._first_step = state.global_step

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        loss = (logs or {}).get("loss")
        step, steps = state.global_step, state.max_steps
        if loss is None or not self._pace.due(last=step == steps):
            return
        left = self._pace.seconds / (step - self._first_step) * (steps - step)
        details = f"loss {loss:.3f}, {duration(left)} left"
        progress = Progress(step, steps, details, unit="step")
        self._pipes.report_custom_message({PROGRESS: dataclasses.asdict(progress)})


@contextlib.contextmanager
def _pipes() -> Iterator[PipesContext | None]:
    """The connection to the Dagster run; only the main process of several has it.

    Every way to start several sets ``RANK``; accelerate itself knows only once it has begun.
    """
    if os.environ.get("RANK", "0") != "0":
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
