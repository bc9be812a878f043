"""What is stored of a stage: that it is whole, and the same in the files and in the database."""

import dagster as dg

from sl_dagster.assets.checks.check import Check, Stores, warning_unless
from sl_dagster.assets.loop.round_stage1 import ExtendHalf
from sl_dagster.assets.measures.measured_answers import MeasuredAnswers
from sl_dagster.assets.stage.stage import Stage
from sl_dagster.assets.stage.task import Task
from sl_dagster.experiment import Experiment
from sl_dagster.resources.records import Record, Text
from sl_dagster.resources.storage.lengths_file import LengthsUnavailableError
from sl_dagster.resources.storage.stage_key import StageKey


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
            return warning_unless(False, f"cannot be compared: {error}")
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


class NothingTruncated(Check):
    """ERROR where one is: a model must not learn to stop in the middle."""

    name = "nothing_truncated"
    description = "No text that the token limit cut off is kept."

    def __init__(self, experiment: Experiment, stage: Stage) -> None:
        super().__init__(experiment)
        self.asset = stage.name

    @staticmethod
    def suits(stage: Stage) -> bool:
        """Whether a stage has it: a model writes it in the loop, to its end.

        Of answers that measure a model all are kept; of what stage 1 writes the end is not.
        """
        written = isinstance(stage, Task) and stage.per == "iteration"
        return written and not isinstance(stage, MeasuredAnswers | ExtendHalf)

    def verdict(self, key: StageKey, stores: Stores) -> dg.AssetCheckResult:
        stored = stores.stages.read(key)
        reasons = zip(stored.column("finish_reason"), stored.column("kept"), strict=True)
        places = [i for i, (reason, kept) in enumerate(reasons) if kept and reason == "length"]
        ids = [
            record.record_id for record in stored.at(places) if not _ends_before_the_limit(record)
        ]
        return dg.AssetCheckResult(
            passed=not ids,
            description=(
                f"{key} keeps {len(ids)} texts that the token limit cut off, among them "
                f"{', '.join(ids[:10])}: run it again with --force"
                if ids
                else None
            ),
            metadata={"truncated_kept": len(ids)},
        )


def _ends_before_the_limit(record: Record) -> bool:
    """Whether a text was whole when the model went on to talk about it, up to the token limit."""
    return isinstance(record, Text) and bool((record.commentary or {}).get("after"))
