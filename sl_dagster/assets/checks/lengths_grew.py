"""``lengths_grew``: what the loop is for."""

from statistics import fmean

import dagster as dg

from sl_dagster.assets.checks.check import Check, Stores
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.resources.storage.stage_store import StageKey, StoredStage


class LengthsGrew(Check):
    """WARN where texts are no longer than an iteration before, or that is not known."""

    name = "lengths_grew"
    asset = "length_report"

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        self._what = "held-out answers" if experiment.heldout else "extended responses"
        self.description = (
            f"The {self._what} are longer, on average, than those of the iteration before."
        )

    @staticmethod
    def suits(experiment: Experiment) -> bool:
        """Whether an experiment has it: not a control, nor a baseline that has no held-out set."""
        if experiment.method == "self_lengthen":
            return experiment.extension.rounds > 0
        return experiment.heldout is not None

    def verdict(self, key: StageKey, stores: Stores) -> dg.AssetCheckResult:
        assert key.iteration is not None
        now = _mean_words(stores.stages.read(_measured_in(self.experiment, key.iteration)))
        try:
            earlier = stores.stages.read(_measured_in(self.experiment, key.iteration - 1))
            before = _mean_words(earlier)
        except UserError as error:
            return dg.AssetCheckResult(
                passed=False,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"nothing to compare {now:.1f} words with: {error}",
            )
        return dg.AssetCheckResult(
            passed=now > before,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"mean words of the {self._what}: {before:.1f} before, {now:.1f} now",
            metadata={"before": before, "now": now},
        )


def _measured_in(experiment: Experiment, iteration: int) -> StageKey:
    """Where the lengths of an iteration are measured; 0 is what iteration 1 began with."""
    if experiment.heldout:
        stage = "heldout_responses" if iteration else "heldout_base"
        return StageKey(experiment.name, stage, iteration or None)
    stage = "extended_responses" if iteration else "initial_responses"
    return StageKey(experiment.name, stage, max(iteration, 1))


def _mean_words(stage: StoredStage) -> float:
    pairs = zip(stage.column("words"), stage.column("kept"), strict=True)
    words = [count for count, kept in pairs if kept]
    if not words:
        raise UserError(f"{stage.key} has no records to measure")
    return fmean(words)
