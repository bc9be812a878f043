"""What an iteration has achieved: enough that is good, and longer texts than before."""

from statistics import fmean

import dagster as dg

from sl_dagster.assets.checks.check import Check, Stores, warning_unless
from sl_dagster.assets.stage.description import kept_words
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stored_stage import StoredStage
from sl_dagster.results.answers import heldout_key
from sl_dagster.results.growth import heldout_scores

_FLOOR = 0.5  # share of good texts below which an iteration deserves a look


class EnoughGrown(Check):
    """WARN where too few responses have grown."""

    name = "enough_grown"
    asset = "extended_responses"
    description = f"At least {_FLOOR:.0%} of the responses have grown enough."

    def verdict(self, key: StageKey, stores: Stores) -> dg.AssetCheckResult:
        facts = stores.stages.read(key).manifest
        grown = 1 - facts["dropped"].get("not_grown", 0) / max(facts["records_in"], 1)
        return _above_floor(grown, "of the responses have grown enough to be trained on")


class EnoughAccepted(Check):
    """WARN where too few held-out answers pass the response filter."""

    name = "enough_accepted"
    asset = "heldout_responses"
    description = f"The response filter accepts at least {_FLOOR:.0%} of the held-out answers."

    def verdict(self, key: StageKey, stores: Stores) -> dg.AssetCheckResult:
        accepted = heldout_scores(stores.stages.read(key)).accepted
        return _above_floor(accepted, "of the held-out answers pass the response filter")


def _above_floor(share: float, of_what: str) -> dg.AssetCheckResult:
    said = f"{share:.0%} {of_what} (floor: {_FLOOR:.0%})"
    return warning_unless(share >= _FLOOR, said, share=share, floor=_FLOOR)


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
            return warning_unless(False, f"nothing to compare {now:.1f} words with: {error}")
        said = f"mean words of the {self._what}: {before:.1f} before, {now:.1f} now"
        return warning_unless(now > before, said, before=before, now=now)


def _measured_in(experiment: Experiment, iteration: int) -> StageKey:
    """Where the lengths of an iteration are measured; 0 is what iteration 1 began with."""
    if experiment.heldout:
        return heldout_key(experiment.name, iteration)
    stage = "extended_responses" if iteration else "initial_responses"
    return StageKey(experiment.name, stage, max(iteration, 1))


def _mean_words(stage: StoredStage) -> float:
    words = kept_words(stage)
    if not words:
        raise UserError(f"{stage.key} has no records to measure")
    return fmean(words)
