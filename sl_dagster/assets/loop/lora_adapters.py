"""``generator_lora`` and ``extender_lora``: both roles fine-tuned (paper, section 3.4)."""

from pathlib import Path

import dagster as dg

from sl_dagster.assets.loop.training_run import TrainingRun, training_job, training_result
from sl_dagster.assets.stage.asset import ADAPTER_IO, stage_asset
from sl_dagster.assets.stage.config import StageConfig
from sl_dagster.assets.stage.run import begin
from sl_dagster.experiment import Experiment, Training
from sl_dagster.resources.adapters import Adapter, Role
from sl_dagster.resources.stage_runner import StageRunner
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_store import StoredStage
from sl_dagster.resources.trainer import Trainer

# An adapter keeps its shape for life, so that is the experiment file's.
_SETTINGS = tuple(f"training.{name}" for name in Training.model_fields if name != "lora")


def lora_assets(experiment: Experiment) -> list[dg.AssetsDefinition]:
    """One adapter per role."""
    return [_lora(experiment, role) for role in experiment.roles]


def _lora(experiment: Experiment, role: Role) -> dg.AssetsDefinition:
    @stage_asset(
        experiment,
        f"{role}_lora",
        description=(
            f"The {role.capitalize()}'s LoRA adapter after this iteration, trained on "
            f"`{role}_sft` from where the iteration before left it."
        ),
        kinds={"pytorch", "huggingface"},
        inputs={"training_set": f"{role}_sft", "previous": f"previous_{role}"},
        io_manager=ADAPTER_IO,
        code_version="2",
        settings=_SETTINGS,
        role=role,
        on_gpu=True,
    )
    def lora(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        trainer: Trainer,
        adapters: AdapterStore,
        runner: StageRunner,
        training_set: StoredStage,
        previous: Adapter,
    ) -> dg.MaterializeResult:
        changed = config.over(experiment)
        run = begin(
            context,
            config,
            changed,
            made_from=[training_set, previous],
            settings=[changed.training.identity],
        )
        job = training_job(changed, run, changed.training, training_set).model_copy(
            update={"previous_adapter": Path(previous.path) if previous.path else None}
        )
        training = TrainingRun(context, run, runner, trainer, adapters)
        stored = training.stored() or training.train(role, job)
        return training_result(
            stored, experiment, [training_set, previous], {"continues": previous.fingerprint}
        )

    return lora
