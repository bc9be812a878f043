"""Weights that are trained on a set of examples: how they are made, and what their page shows."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg

from sl_dagster.assets.stage.description import (
    headline,
    made_from_metadata,
    overrides_metadata,
)
from sl_dagster.assets.stage.made_once import MadeOnce
from sl_dagster.assets.stage.pictures import lines_picture, picture
from sl_dagster.assets.stage.run import StageRun
from sl_dagster.disk_errors import disk_errors_explained
from sl_dagster.experiment import Training
from sl_dagster.identity import seed_from
from sl_dagster.resources.adapters import AnyRole
from sl_dagster.resources.storage.adapter_store import StoredAdapter
from sl_dagster.resources.storage.io_managers import ADAPTER_IO
from sl_dagster.resources.storage.stored_stage import StoredStage
from sl_dagster.results.plots import MAIN, OTHER
from sl_dagster.training.job import LossPoint, TrainingJob, TrainingOutcome


class TrainedWeights(MadeOnce):
    """An adapter, or a whole model, that a training makes of the first of its inputs.

    Attributes:
        trains: who will work with the weights.
    """

    kinds = ("pytorch", "huggingface")
    io_manager = ADAPTER_IO
    on_gpu = True
    trains: AnyRole

    @cached_property
    def training_set(self) -> StoredStage:
        """The examples."""
        return self.run.stage(self.inputs[0])

    @property
    def training(self) -> Training:
        """How is trained."""
        return self.experiment.training

    def identity(self) -> list[Any]:
        return [self.training.identity]

    def training_job(self, output: Path) -> TrainingJob:
        """The training: by default, of a new adapter on the base model.

        Args:
            output: the folder that receives the weights.
        """
        experiment, training = self.experiment, self.training
        return TrainingJob(
            name=str(self.run.key),
            project=self.run.key.experiment,
            base_model=experiment.base_model,
            revision=experiment.revision,
            chat=experiment.chat,
            previous_adapter=None,
            training_set=self.training_set.path,
            output=output,
            training=training,
            seed=seed_from(self.fingerprint) if training.seed is None else training.seed,
        )

    def completed(self, stored: StoredAdapter) -> StoredAdapter:
        """New weights with what belongs beside them: by default, nothing."""
        return stored

    def facts(self) -> dict[str, Any]:
        """What their page shows besides what all trainings do."""
        return {}

    def make(self, run: StageRun) -> dg.MaterializeResult:
        one = self.in_run(run)
        return one.described(one.stored())

    def stored(self) -> StoredAdapter:
        """The weights, trained or found."""
        run = self.run
        run.claim()
        stored = None if run.force else run.adapters.find(run.key, self.fingerprint, run.warn)
        if stored is None:
            return self.completed(self._trained())
        run.say("up to date: training set, settings and code are those of the stored adapter")
        return stored

    def _trained(self) -> StoredAdapter:
        """Train, with the devices' memory free of engines."""
        run, adapters = self.run, self.run.adapters
        assert run.context, "trainings report to Dagster"
        output = adapters.workplace(run.key, self.fingerprint)
        run.session.engines.release()
        with disk_errors_explained(f"{run.key}: cannot write {output}"):
            outcome = run.trainer.train(run.context, self.training_job(output))
            run.claim()
            stored = adapters.adopt(run.key, self.trains, self.fingerprint, outcome)
        return replace(stored, overrides=run.overrides)

    def described(self, stored: StoredAdapter) -> dg.MaterializeResult:
        """What the asset returns: the weights, with what its page shows of them."""
        adapter, outcome = stored.adapter, stored.outcome
        assert adapter.path and outcome
        size = sum(path.stat().st_size for path in Path(adapter.path).glob("*.safetensors"))
        return dg.MaterializeResult(
            value=stored,
            data_version=dg.DataVersion(adapter.fingerprint),
            metadata={
                "headline": headline(self.run.key, *_said(outcome)),
                "loss_curve": _loss_curve(outcome),
                **_training_metadata(outcome),
                "base_model": self.experiment.base_model,
                "adapter": adapter.fingerprint,
                "adapter_megabytes": size / 1e6,
                **self.facts(),
                **made_from_metadata(self.experiment.name, self.made_from),
                "folder": dg.MetadataValue.path(adapter.path),
                **overrides_metadata(stored.overrides),
                "loss_curve_in_detail": _loss_curve_in_detail(outcome),
            },
        )


def _said(outcome: TrainingOutcome) -> tuple[str, ...]:
    first, last = outcome.losses[0].loss, outcome.losses[-1].loss
    return (f"Loss from {first:.3g} to {last:.3g}", f"{outcome.examples:,} examples")


def _training_metadata(outcome: TrainingOutcome) -> dict[str, Any]:
    return {
        "first_loss": outcome.losses[0].loss,
        "last_loss": outcome.losses[-1].loss,
        **_evaluation_metadata(outcome),
        "examples": outcome.examples,
        "truncated_examples": outcome.truncated,
        "left_out_examples": outcome.left_out,
        "longest_example_tokens": outcome.longest,
        "tokens": outcome.tokens,
        "steps": outcome.steps,
        "resumed_at_step": outcome.resumed_at,
        "seconds": outcome.seconds,
        "tokens_per_second": outcome.tokens_per_second,
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
    curves = {"training": outcome.losses, "evaluation": outcome.evaluation_losses}
    lines = [
        (name, [(point.step, point.loss) for point in curve])
        for name, curve in curves.items()
        if curve
    ]
    return lines_picture("loss curve", lines, "step")


def _loss_curve_in_detail(outcome: TrainingOutcome) -> dg.MarkdownMetadataValue:
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
