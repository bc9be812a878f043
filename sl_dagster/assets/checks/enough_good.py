"""``enough_grown`` and ``enough_accepted``: most of what an iteration has made is good."""

import dagster as dg

from sl_dagster.assets.checks.check import Check, Stores
from sl_dagster.resources.storage.stage_store import StageKey
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
    return dg.AssetCheckResult(
        passed=share >= _FLOOR,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{share:.0%} {of_what} (floor: {_FLOOR:.0%})",
        metadata={"share": share, "floor": _FLOOR},
    )
