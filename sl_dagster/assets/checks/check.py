"""A check of a stored result as one object, and its declaration to Dagster."""

import inspect
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import dagster as dg

from sl_dagster.assets.stage.asset import partitions_of, rounded
from sl_dagster.assets.stage.dagster_betas import accepted_betas
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.io_managers import shown_to_the_user, stage_key
from sl_dagster.resources.storage.lengths import LengthsDatabase
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore


@dataclass(frozen=True)
class Stores:
    """Where everything lies that a check may look at."""

    stages: StageStore
    adapters: AdapterStore
    lengths: LengthsDatabase


class Check(ABC):
    """What must hold of an asset's result.

    Attributes:
        experiment: whose asset is checked.
        name: of the check; those of an asset differ.
        description: shown in the web UI.
        asset: the name of what is checked.
        per_iteration: whether that has a result for each iteration, or just one.
    """

    name: ClassVar[str]
    description: str
    asset: str
    per_iteration: bool = True

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment

    @abstractmethod
    def verdict(self, key: StageKey, stores: Stores) -> dg.AssetCheckResult:
        """Whether it holds of the result at a key.

        Raises:
            UserError: the result is missing or damaged.
        """


def warning_unless(passed: bool, description: str | None, **metadata: Any) -> dg.AssetCheckResult:
    """A verdict that is for a person to judge.

    Args:
        passed: whether it holds.
        description: what is found.
        metadata: the figures.
    """
    return dg.AssetCheckResult(
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
        metadata=metadata,
    )


def declared_check(check: Check) -> dg.AssetChecksDefinition:
    """The check as Dagster knows it."""

    def checked(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        [selected] = context.selected_asset_check_keys
        found = context.resources
        with shown_to_the_user():
            key = checked_key(context, selected, per_iteration=check.per_iteration)
            result = check.verdict(key, Stores(found.stages, found.adapters, found.lengths))
            return result._replace(metadata=rounded(result.metadata or {}))

    checked.__signature__ = inspect.signature(checked)  # Dagster asks for it a dozen times
    with accepted_betas():  # checks per partition
        return dg.asset_check(
            asset=dg.AssetKey([check.experiment.name, check.asset]),
            name=check.name,
            description=check.description,
            blocking=True,
            required_resource_keys={"stages", "adapters", "lengths"},
            partitions_def=partitions_of(check.experiment) if check.per_iteration else None,
        )(checked)


def checked_key(
    context: dg.AssetCheckExecutionContext, check: dg.AssetCheckKey, *, per_iteration: bool = True
) -> StageKey:
    """Which result of its asset a check of the running step looks at.

    Raises:
        UserError: it is one of an iteration's, and was launched for none.
    """
    if not per_iteration:
        return stage_key(check.asset_key, None)
    if not context.has_partition_key:
        raise UserError(f"check {check.name} looks at one iteration: launch it for a partition")
    return stage_key(check.asset_key, context.partition_key)
