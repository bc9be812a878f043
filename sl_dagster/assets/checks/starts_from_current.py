"""``starts_from_current``: an iteration starts from what the iteration before now is."""

import dagster as dg

from sl_dagster.assets.checks.check import Check, Stores
from sl_dagster.assets.stage.run import base_model
from sl_dagster.experiment import Experiment
from sl_dagster.resources.adapters import Role
from sl_dagster.resources.storage.stage_store import StageKey


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
        return dg.AssetCheckResult(
            passed=used == current.fingerprint,
            severity=dg.AssetCheckSeverity.WARN,
            description=(
                f"{key} is {used}, but what it was taken from is {current.fingerprint} now: "
                f"materialize it again, and then what has become out of date in the iteration"
                if used != current.fingerprint
                else None
            ),
            metadata={"used": used, "current": current.fingerprint},
        )
