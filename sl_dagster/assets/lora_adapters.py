"""``generator_lora`` and ``extender_lora``: both roles fine-tuned (paper, section 3.4)."""

from pathlib import Path
from typing import Any, get_args

import dagster as dg

from sl_dagster.adapters import WEIGHTS_FILE, Adapter, Role
from sl_dagster.assets.description import new_figure, picture
from sl_dagster.assets.stage_asset import ADAPTER_IO, StageConfig, stage_asset
from sl_dagster.assets.stage_run import begin
from sl_dagster.experiment import Experiment
from sl_dagster.identity import seed_from
from sl_dagster.resources.adapter_store import AdapterStore, StoredAdapter
from sl_dagster.resources.stage_runner import StageRun, StageRunner
from sl_dagster.resources.stage_store import StoredStage, disk_errors_explained
from sl_dagster.resources.trainer import Trainer
from sl_dagster.training.job import LossPoint, TrainingJob, TrainingOutcome


def lora_assets(experiment: Experiment) -> list[dg.AssetsDefinition]:
    """One adapter per role."""
    return [_lora(experiment, role) for role in get_args(Role)]


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
        run = begin(
            context,
            config,
            experiment,
            made_from=[training_set, previous],
            settings=[experiment.training.identity],
        )
        runner.claim(run.key, run.run_id)
        stored = None if run.force else adapters.find(run.key, run.fingerprint)
        if stored:
            run.say("up to date: training set, settings and code are those of the stored adapter")
        else:
            output = adapters.workplace(run.key, run.fingerprint)
            job = _job(experiment, run, training_set, previous, output)
            runner.engines.release()
            with disk_errors_explained(f"{run.key}: cannot write {job.output}"):
                outcome = trainer.train(context, job)
                stored = adapters.adopt(run.key, role, run.fingerprint, outcome)
        return _result(stored, previous)

    return lora


def _job(
    experiment: Experiment,
    run: StageRun,
    training_set: StoredStage,
    previous: Adapter,
    output: Path,
) -> TrainingJob:
    seed = experiment.training.seed
    return TrainingJob(
        name=str(run.key),
        project=run.key.experiment,
        base_model=experiment.base_model,
        revision=experiment.revision,
        chat=experiment.chat,
        previous_adapter=Path(previous.path) if previous.path else None,
        training_set=training_set.path,
        output=output,
        training=experiment.training,
        seed=seed_from(run.fingerprint) if seed is None else seed,
    )


def _result(stored: StoredAdapter, previous: Adapter) -> dg.MaterializeResult:
    adapter, outcome = stored.adapter, stored.outcome
    assert adapter.path and outcome
    return dg.MaterializeResult(
        value=stored,
        data_version=dg.DataVersion(adapter.fingerprint),
        metadata={
            "adapter": adapter.fingerprint,
            "continues": previous.fingerprint,
            "folder": dg.MetadataValue.path(adapter.path),
            "adapter_megabytes": (Path(adapter.path) / WEIGHTS_FILE).stat().st_size / 1e6,
            **_training_metadata(outcome),
        },
    )


def _training_metadata(outcome: TrainingOutcome) -> dict[str, Any]:
    return {
        "examples": outcome.examples,
        "truncated_examples": outcome.truncated,
        "left_out_examples": outcome.left_out,
        "longest_example_tokens": outcome.longest,
        "tokens": outcome.tokens,
        "steps": outcome.steps,
        "resumed_at_step": outcome.resumed_at,
        "seconds": outcome.seconds,
        "tokens_per_second": outcome.tokens_per_second,
        "first_loss": outcome.losses[0].loss,
        "last_loss": outcome.losses[-1].loss,
        **_evaluation_metadata(outcome),
        "loss_curve": _loss_curve(outcome),
    }


def _evaluation_metadata(outcome: TrainingOutcome) -> dict[str, Any]:
    if not outcome.evaluation_losses:
        return {}
    return {
        "evaluation_examples": outcome.evaluation_examples,
        "first_evaluation_loss": outcome.evaluation_losses[0].loss,
        "last_evaluation_loss": outcome.evaluation_losses[-1].loss,
    }


def _loss_curve(outcome: TrainingOutcome) -> dg.MarkdownMetadataValue:
    figure, axes = new_figure()
    _plot(axes, outcome.losses, color="#4f6bed", label="training")
    if outcome.evaluation_losses:
        _plot(axes, outcome.evaluation_losses, color="#d9822b", marker="o", label="evaluation")
        axes.legend(frameon=False)
    axes.set_xlabel("step")
    axes.set_ylabel("loss per completion token")
    return picture(figure, "loss curve")


def _plot(axes: Any, points: list[LossPoint], **style: Any) -> None:
    axes.plot([point.step for point in points], [point.loss for point in points], **style)
