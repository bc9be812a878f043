"""``generator_lora`` and ``extender_lora``: both roles fine-tuned (paper, section 3.4).

A role learns from its training set, from where the iteration before left it. Prompts are given and
completions are learnt; how, is ``training`` in the experiment file.
"""

from pathlib import Path
from typing import Any

from sl_dagster.assets.loop.trained_weights import TrainedWeights
from sl_dagster.experiment import Experiment, Training
from sl_dagster.experiment.training import NOT_IN_THE_RESULT
from sl_dagster.resources.adapters import Role
from sl_dagster.training.job import TrainingJob


class LoraAdapter(TrainedWeights):
    """A role's adapter, trained further on what the iteration has made."""

    code_version = "2"
    reads = tuple(
        f"training.{name}" for name in Training.model_fields if name not in NOT_IN_THE_RESULT
    )
    form_only = tuple(f"training.{name}" for name in NOT_IN_THE_RESULT)

    def __init__(self, experiment: Experiment, role: Role) -> None:
        super().__init__(experiment)
        self.role = self.trains = role
        self.name = f"{role}_lora"
        self.description = (
            f"The {role.capitalize()}'s LoRA adapter after this iteration, trained on "
            f"`{role}_sft` from where the iteration before left it."
        )
        self._previous = f"previous_{role}"
        self.inputs = (f"{role}_sft", self._previous)

    def training_job(self, output: Path) -> TrainingJob:
        previous = self.run.weights(self._previous).path
        start = {"previous_adapter": Path(previous) if previous else None}
        return super().training_job(output).model_copy(update=start)

    def facts(self) -> dict[str, Any]:
        return {"continues": self.run.weights(self._previous).fingerprint}
