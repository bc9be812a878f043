"""``counts_agree``: the lengths database holds what the Parquet files hold."""

import dagster as dg

from sl_dagster.assets.checks.check import Check, Stores
from sl_dagster.assets.stage.task import Stage
from sl_dagster.experiment import Experiment
from sl_dagster.resources.storage.lengths_file import LengthsUnavailableError
from sl_dagster.resources.storage.stage_store import StageKey


class CountsAgree(Check):
    """ERROR where the two differ, WARN where they cannot be compared."""

    name = "counts_agree"
    description = "The lengths database holds what the Parquet files hold."

    def __init__(self, experiment: Experiment, stage: Stage) -> None:
        super().__init__(experiment)
        self.asset = stage.name
        self.per_iteration = stage.per == "iteration"

    @staticmethod
    def suits(stage: Stage) -> bool:
        """Whether a stage has it: what is measured of models is partitioned by these."""
        return stage.per != "model"

    def verdict(self, key: StageKey, stores: Stores) -> dg.AssetCheckResult:
        try:
            in_files, in_database = stores.lengths.counts(stores.stages.read(key))
        except LengthsUnavailableError as error:
            # Not the stage's fault: the next writer adds its rows.
            return dg.AssetCheckResult(
                passed=False,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"cannot be compared: {error}",
            )
        return dg.AssetCheckResult(
            passed=in_files == in_database,
            description=(
                f"the files of {key} have {_listed(in_files)}, the lengths database "
                f"{_listed(in_database)}: materialize it again to make them agree"
                if in_files != in_database
                else None
            ),
            metadata={
                f"{name}_in_{place}": count
                for place, counts in (("files", in_files), ("database", in_database))
                for name, count in counts.items()
            },
        )


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())
