"""Running a training from an asset, and what the asset's page shows of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg

from sl_dagster.assets.stage.description import made_from_metadata, overrides_metadata
from sl_dagster.assets.stage.pictures import picture
from sl_dagster.assets.stage.run import StageRun
from sl_dagster.experiment import Training
from sl_dagster.identity import seed_from
from sl_dagster.resources.adapters import Adapter, AnyRole
from sl_dagster.resources.storage.adapter_store import StoredAdapter
from sl_dagster.resources.storage.stage_store import StoredStage, disk_errors_explained
from sl_dagster.results.plots import MAIN, OTHER
from sl_dagster.training.job import LossPoint, TrainingJob, TrainingOutcome


@dataclass(frozen=True)
class TrainingRun:
    """One materialization of trained weights.

    Attributes:
        run: what it works with.
        fingerprint: of the weights to be.
    """

    run: StageRun
    fingerprint: str

    def stored(self) -> StoredAdapter | None:
        """The stored weights, if equal ones exist and need not be made anew.

        Raises:
            UserError: another run works on the iteration.
        """
        self.run.session.claim(self.run.key, self.run.run_id)
        if self.run.force:
            return None
        stored = self.run.adapters.find(self.run.key, self.fingerprint)
        if stored:
            self.run.say(
                "up to date: training set, settings and code are those of the stored adapter"
            )
        return stored

    def train(self, role: AnyRole, job: TrainingJob) -> StoredAdapter:
        """Train, with the devices' memory free of engines.

        Args:
            role: who will work with the weights.
            job: what to train; it writes into the workplace of this run.

        Raises:
            UserError: see ``Trainer.train``; or the disk is full.
        """
        run, adapters = self.run, self.run.adapters
        assert run.context, "trainings report to Dagster"
        output = adapters.workplace(run.key, self.fingerprint)
        job = job.model_copy(update={"output": output})
        run.session.engines.release()
        with disk_errors_explained(f"{run.key}: cannot write {output}"):
            outcome = run.trainer.train(run.context, job)
            stored = adapters.adopt(run.key, role, self.fingerprint, outcome)
        return replace(stored, overrides=run.overrides)


def training_job(
    run: StageRun, fingerprint: str, training: Training, training_set: StoredStage
) -> TrainingJob:
    """The job of a new adapter on the base model, as yet without a folder to write it to."""
    experiment = run.experiment
    return TrainingJob(
        name=str(run.key),
        project=run.key.experiment,
        base_model=experiment.base_model,
        revision=experiment.revision,
        chat=experiment.chat,
        previous_adapter=None,
        training_set=training_set.path,
        output=Path(),
        training=training,
        seed=seed_from(fingerprint) if training.seed is None else training.seed,
    )


def training_result(
    run: StageRun,
    stored: StoredAdapter,
    made_from: Sequence[StoredStage | Adapter],
    facts: Mapping[str, Any],
) -> dg.MaterializeResult:
    """What the asset of trained weights returns: the weights, described.

    Args:
        run: which made them.
        stored: the weights.
        made_from: the training set, and the adapter that was trained further.
        facts: further metadata.
    """
    adapter, outcome = stored.adapter, stored.outcome
    assert adapter.path and outcome
    weights = sum(path.stat().st_size for path in Path(adapter.path).glob("*.safetensors"))
    return dg.MaterializeResult(
        value=stored,
        data_version=dg.DataVersion(adapter.fingerprint),
        metadata={
            "adapter": adapter.fingerprint,
            "base_model": run.experiment.base_model,
            **made_from_metadata(run.key.experiment, made_from),
            "folder": dg.MetadataValue.path(adapter.path),
            "adapter_megabytes": weights / 1e6,
            **facts,
            **_training_metadata(outcome),
            **overrides_metadata(stored.overrides),
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
    def draw(axes: Any) -> None:
        _plot(axes, outcome.losses, color=MAIN, label="training")
        if outcome.evaluation_losses:
            _plot(axes, outcome.evaluation_losses, color=OTHER, marker="o", label="evaluation")
            axes.legend()
        axes.set_xlabel("step")
        axes.set_ylabel("loss per completion token")

    return picture("loss curve", draw)


def _plot(axes: Any, points: list[LossPoint], **style: Any) -> None:
    axes.plot([point.step for point in points], [point.loss for point in points], **style)
