"""The weights of an iteration: where they come from, and what their training says."""

import math
from statistics import fmean

import dagster as dg

from sl_dagster.assets.checks.check import Check, Stores, warning_unless
from sl_dagster.assets.stage.run import base_model
from sl_dagster.experiment import Experiment
from sl_dagster.resources.adapters import Role
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.training.job import LossPoint, TrainingOutcome


class StartsFromCurrent(Check):
    """WARN where an adapter was trained anew since, or another base model is named."""

    name = "starts_from_current"

    def __init__(self, experiment: Experiment, role: Role) -> None:
        super().__init__(experiment)
        self._role: Role = role
        self.asset = f"previous_{role}"
        self.description = (
            f"The adapter that the iteration starts from is what `{role}_lora` of the iteration "
            "before now is; in iteration 1, the base model as it now is."
        )

    def verdict(self, key: StageKey, stores: Stores) -> dg.AssetCheckResult:
        assert key.iteration is not None
        used = stores.adapters.read(key).adapter.fingerprint
        current = base_model(self.experiment, self._role)
        if key.iteration > 1:
            before = StageKey(key.experiment, f"{self._role}_lora", key.iteration - 1)
            current = stores.adapters.read(before).adapter
        wrong = (
            f"{key} is {used}, but what it was taken from is {current.fingerprint} now: "
            "materialize it again, and then what has become out of date in the iteration"
        )
        good = used == current.fingerprint
        return warning_unless(good, None if good else wrong, used=used, current=current.fingerprint)


class LossFell(Check):
    """See ``loss_verdict``."""

    name = "loss_fell"
    description = (
        "The training loss is finite and fell, and so did the loss on the examples held back."
    )

    def __init__(self, experiment: Experiment, role: Role) -> None:
        super().__init__(experiment)
        self.asset = f"{role}_lora"

    def verdict(self, key: StageKey, stores: Stores) -> dg.AssetCheckResult:
        outcome = stores.adapters.read(key).outcome
        assert outcome, "every trained adapter has its outcome"
        return loss_verdict(outcome)


def loss_verdict(outcome: TrainingOutcome) -> dg.AssetCheckResult:
    """Judge a training by its loss curves: ERROR if not finite, WARN if one did not fall."""
    curves = {"training": outcome.losses, "evaluation": outcome.evaluation_losses}
    ends = {name: _ends(curve) for name, curve in curves.items() if len(curve) > 1}
    endless = [
        name
        for name, curve in curves.items()
        if not all(math.isfinite(point.loss) for point in curve)
    ]
    risen = [name for name, (first, last) in ends.items() if not last < first]
    if endless:
        wrong = f"the {' and the '.join(endless)} loss is not finite: lower the learning rate"
    elif risen:
        change = (f"{name} loss from {ends[name][0]:.3f} to {ends[name][1]:.3f}" for name in risen)
        wrong = f"did not fall: {', '.join(change)}"
    else:
        wrong = None
    return dg.AssetCheckResult(
        passed=wrong is None,
        severity=dg.AssetCheckSeverity.ERROR if endless else dg.AssetCheckSeverity.WARN,
        description=wrong,
        metadata={
            f"{end}_{name}_loss": value
            for name, pair in ends.items()
            for end, value in zip(("first", "last"), pair, strict=True)
        },
    )


def _ends(curve: list[LossPoint]) -> tuple[float, float]:
    """The means of the curve's first and last tenth, because single batches scatter."""
    losses, tenth = [point.loss for point in curve], max(1, len(curve) // 10)
    return fmean(losses[:tenth]), fmean(losses[-tenth:])
