"""Starting the training program and turning what it reports into an adapter."""

import os
import shlex
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dagster as dg

from sl_dagster.errors import UserError
from sl_dagster.experiment import Training
from sl_dagster.models.memory import was_killed
from sl_dagster.resources.devices import visible_gpus
from sl_dagster.resources.environment import secrets
from sl_dagster.resources.temporary import temporary_files
from sl_dagster.resources.training_messages import TrainingMessages
from sl_dagster.training.fork import train_in_fork
from sl_dagster.training.job import (
    JOB_FILE,
    LESS_MEMORY_TO_TRAIN,
    MESSAGES_FILE,
    MISTAKE,
    OUTCOME,
    RUN_PID_VARIABLE,
    TrainingJob,
    TrainingOutcome,
)


class Trainer(dg.ConfigurableResource):
    """Runs trainings in processes of their own, which report through Dagster Pipes.

    Memory is free again when a training ends; progress appears in the run's log. On GPUs, and with
    a configuration of accelerate, it is ``accelerate launch`` that starts them; on several hosts,
    the launcher that the experiment names.
    """

    def check(self, training: Training) -> None:
        """Make sure that this machine can do what the settings ask for.

        Raises:
            UserError: naming the setting and what is missing.
        """
        gpus = visible_gpus()
        if training.quantization and not gpus:
            raise UserError(
                f"training.quantization: {training.quantization} needs an NVIDIA GPU, and this "
                "machine shows none: remove it, or run on a machine with a GPU"
            )
        if training.launcher:
            if shutil.which(training.launcher[0]) is None:
                raise UserError(
                    f"training.launcher: there is no command {training.launcher[0]!r} on this "
                    "machine: correct it, or install what it belongs to"
                )
        elif training.num_processes and training.num_processes > max(gpus, 1):
            raise UserError(
                f"training.num_processes: {training.num_processes} processes need a GPU each, and "
                f"this machine shows {gpus}"
            )
        needed = [("training.report_to", name) for name in training.report_to]
        if training.quantization:
            needed.append(("training.quantization", "bitsandbytes"))
        for field, package in needed:
            if find_spec(package) is None:
                raise UserError(
                    f"{field}: the package {package} is not installed: run `pip install "
                    f"{package}`, or remove the setting"
                )

    def train(self, context: dg.AssetExecutionContext, job: TrainingJob) -> TrainingOutcome:
        """Run one training to its end.

        Args:
            context: the asset that is being materialized.
            job: what to train; its output folder receives the adapter.

        Raises:
            UserError: the settings fit the machine, the model or the data badly, or the program
                failed; then the run's stderr shows why.
        """
        self.check(job.training)
        job_file = job.output / JOB_FILE
        job_file.write_text(job.model_dump_json(indent=2), encoding="utf-8")
        # The reader of the program's messages works, and says of itself that it is a preview.
        warnings.filterwarnings("ignore", category=dg.PreviewWarning)
        for message in _way(job.training)(context.op_execution_context, job_file, job.training):
            if OUTCOME in message:
                return TrainingOutcome.model_validate(message[OUTCOME])
            if MISTAKE in message:
                raise UserError(message[MISTAKE])
        raise UserError(f"the training program ended without a result. The job is {job_file}")


_Messages = Sequence[Mapping[str, Any]]


def _way(training: Training) -> Callable[[dg.OpExecutionContext, Path, Training], _Messages]:
    """How a training is started; what is returned waits for it and gives what it reports."""
    if training.launcher:
        return _elsewhere
    return _launched if visible_gpus() or training.accelerate_config else _forked


def _forked(context: dg.OpExecutionContext, job_file: Path, training: Training) -> _Messages:
    """Train in a fork of a process that has imported what trainings need; what it reports."""
    reader = TrainingMessages(context.log)
    with dg.open_pipes_session(context, dg.PipesEnvContextInjector(), reader) as session:
        status = train_in_fork(
            job_file, {**_environment(training), **session.get_bootstrap_env_vars()}
        )
    if status:
        raise _failure(f"exit status {status}", job_file, status)
    return session.get_custom_messages()


def _launched(context: dg.OpExecutionContext, job_file: Path, training: Training) -> _Messages:
    """Train with ``accelerate launch``, on all the GPUs that there are; what it reports."""
    client = dg.PipesSubprocessClient(message_reader=TrainingMessages(context.log))
    # What it starts the processes with leaves a folder of logs each time.
    with temporary_files() as its_own:
        environment = _environment(training) | its_own
        try:
            invocation = client.run(
                context=context, command=_command(job_file, training), env=environment
            )
        except dg.DagsterError as error:
            raise _failure(str(error), job_file) from error
    return invocation.get_custom_messages()


def _elsewhere(context: dg.OpExecutionContext, job_file: Path, training: Training) -> _Messages:
    """Train with the user's launcher, perhaps on other hosts; what it reports.

    What ties the training to this run stands here, beside the launcher: a guard that ends it with
    the run, and a file of messages in the folder that all hosts see.
    """
    assert training.launcher
    messages = job_file.with_name(MESSAGES_FILE)
    messages.unlink(missing_ok=True)
    reader = TrainingMessages(context.log, messages)
    with dg.open_pipes_session(context, dg.PipesEnvContextInjector(), reader) as session:
        guard = [sys.executable, "-m", "sl_dagster.resources.guard"]
        with subprocess.Popen(
            [*guard, *training.launcher, str(job_file)],
            stdin=subprocess.PIPE,
            start_new_session=True,
            env={
                **os.environ,
                **_environment(training),
                **session.get_bootstrap_env_vars(),
            },
        ) as process:
            status = process.wait()
    if status:
        raise _failure(f"exit status {status} of {shlex.join(training.launcher)}", job_file, status)
    return session.get_custom_messages()


def _environment(training: Training) -> dict[str, str]:
    """Variables of the training beside those of the run; its secrets are emptied."""
    trackers = [f"{name.upper()}_" for name in training.report_to]
    variables = {name: "" for name in secrets(trackers)} | {"TOKENIZERS_PARALLELISM": "false"}
    if not training.launcher:  # another host has no such process to watch
        variables[RUN_PID_VARIABLE] = str(os.getpid())
    return variables


def _failure(reason: str, job_file: Path, status: int = 0) -> UserError:
    killed = "It was killed, perhaps because the machine was short of memory. If so, "
    return UserError(
        f"the training program failed ({reason}); its last words stand in the run's stderr. "
        f"Running again goes on from its last checkpoint. The job is {job_file}"
        + (f". {killed}{LESS_MEMORY_TO_TRAIN}" if was_killed(status) else "")
    )


def _command(job_file: Path, training: Training) -> list[str]:
    launch = [sys.executable, "-m", "accelerate.commands.launch"]
    if training.num_processes:
        launch += ["--num_processes", str(training.num_processes)]
    if training.accelerate_config:
        launch += ["--config_file", str(training.accelerate_config)]
    else:
        # Any free port, for trainings that run at the same time.
        launch += ["--num_machines", "1", "--main_process_port", "0"]
    return [*launch, "-m", "sl_dagster.training.train", str(job_file)]
