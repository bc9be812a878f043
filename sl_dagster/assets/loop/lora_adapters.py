"""``generator_lora`` and ``extender_lora``: both roles fine-tuned (paper, section 3.4)."""

from pathlib import Path

import dagster as dg

from sl_dagster.assets.loop.training_run import TrainingRun, training_job, training_result
from sl_dagster.assets.stage.asset import Asset
from sl_dagster.assets.stage.run import StageRun, stage_fingerprint
from sl_dagster.experiment import Experiment, Training
from sl_dagster.resources.adapters import Role
from sl_dagster.resources.storage.io_managers import ADAPTER_IO


class LoraAdapter(Asset):
    """A role's adapter, trained further on what the iteration has made."""

    kinds = ("pytorch", "huggingface")
    io_manager = ADAPTER_IO
    code_version = "2"
    # An adapter keeps its shape for life, so that is the experiment file's.
    reads = tuple(f"training.{name}" for name in Training.model_fields if name != "lora")
    on_gpu = True

    def __init__(self, experiment: Experiment, role: Role) -> None:
        super().__init__(experiment)
        self.role = role
        self._role: Role = role
        self.name = f"{role}_lora"
        self.description = (
            f"The {role.capitalize()}'s LoRA adapter after this iteration, trained on "
            f"`{role}_sft` from where the iteration before left it."
        )
        self.inputs = (f"{role}_sft", f"previous_{role}")

    def make(self, run: StageRun) -> dg.MaterializeResult:
        training_set = run.stage(f"{self.role}_sft")
        previous = run.weights(f"previous_{self.role}")
        training = run.experiment.training
        made_from = [training_set, previous]
        fingerprint = stage_fingerprint(run, self.code_version, made_from, [training.identity])
        job = training_job(run, fingerprint, training, training_set).model_copy(
            update={"previous_adapter": Path(previous.path) if previous.path else None}
        )
        work = TrainingRun(run, fingerprint)
        stored = work.stored() or work.train(self._role, job)
        return training_result(run, stored, made_from, {"continues": previous.fingerprint})
