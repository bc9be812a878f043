"""Starting the training program and turning what it reports into an adapter."""

import os
import sys
import warnings
from pathlib import Path

import dagster as dg

from sl_dagster.errors import UserError
from sl_dagster.training.job import OUTCOME, RUN_PID_VARIABLE, TrainingJob, TrainingOutcome


class Trainer(dg.ConfigurableResource):
    """Runs trainings in a process of their own, through ``accelerate launch`` and Dagster Pipes.

    The GPU's memory is free again when a training ends; progress appears in the run's log.
    """

    def train(self, context: dg.AssetExecutionContext, job: TrainingJob) -> TrainingOutcome:
        """Run one training to its end.

        Args:
            context: the asset that is being materialized.
            job: what to train; its output folder receives the adapter.

        Raises:
            UserError: the program failed; the run's stderr shows why.
        """
        job.output.mkdir(parents=True, exist_ok=True)
        job_file = job.output / "job.json"
        job_file.write_text(job.model_dump_json(indent=2), encoding="utf-8")
        # The reader of the program's messages works, and says of itself that it is a preview.
        warnings.filterwarnings("ignore", category=dg.PreviewWarning)
        try:
            invocation = dg.PipesSubprocessClient().run(
                context=context.op_execution_context,
                command=_command(job_file),
                env={RUN_PID_VARIABLE: str(os.getpid()), "TOKENIZERS_PARALLELISM": "false"},
            )
        except dg.DagsterError as error:
            raise UserError(
                f"the training program failed ({error}); its last words stand in the run's "
                f"stderr. The job is {job_file}"
            ) from error
        for message in invocation.get_custom_messages():
            if OUTCOME in message:
                return TrainingOutcome.model_validate(message[OUTCOME])
        raise UserError(f"the training program ended without a result. The job is {job_file}")


def _command(job_file: Path) -> list[str]:
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--num_machines", "1"]
    if not _has_gpu():
        launch += ["--cpu", "--num_processes", "1", "--mixed_precision", "no"]
        launch += ["--dynamo_backend", "no", "--num_cpu_threads_per_process"]
        launch.append(os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count()))
    return [*launch, "-m", "sl_dagster.training.train", str(job_file)]


def _has_gpu() -> bool:
    return Path("/dev/nvidiactl").exists()
