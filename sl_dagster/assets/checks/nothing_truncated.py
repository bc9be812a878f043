"""``nothing_truncated``: no text that the token limit cut off is kept."""

import dagster as dg

from sl_dagster.assets.checks.check import Check, Stores
from sl_dagster.assets.loop.round_stage1 import ExtendHalf
from sl_dagster.assets.measures.measured_answers import MeasuredAnswers
from sl_dagster.assets.stage.task import Stage, Task
from sl_dagster.experiment import Experiment
from sl_dagster.resources.records import Record, Text
from sl_dagster.resources.storage.stage_store import StageKey


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
