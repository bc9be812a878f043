"""``length_report``: one iteration at a glance, stage by stage and before/after."""

from typing import Any

import dagster as dg

from sl_dagster.assets.stage_asset import stage_asset
from sl_dagster.experiment import Experiment
from sl_dagster.growth import growth_table
from sl_dagster.resources.lengths import LengthsDatabase
from sl_dagster.resources.stage_store import StageStore

_COLUMNS = ("records", "kept", "mean", "p10", "p50", "p90", "max")


def length_report_asset(experiment: Experiment) -> dg.AssetsDefinition:
    """The iteration's numbers."""
    after = ("heldout_responses", "heldout_base") if experiment.heldout else ()

    @stage_asset(
        experiment,
        "length_report",
        description="Lengths of every stage of the iteration, and the Generator before and after.",
        kinds={"duckdb"},
        deps=("extended_responses", "generator_lora", "extender_lora", *after),
    )
    def length_report(
        context: dg.AssetExecutionContext, lengths: LengthsDatabase, stages: StageStore
    ) -> dg.MaterializeResult:
        iteration = int(context.partition_key)
        rows = [row for row in lengths.stats(experiment.name) if row["iteration"] == iteration]
        order = {stage: place for place, stage in enumerate(experiment.stages)}
        rows.sort(key=lambda row: order.get(row["stage"], len(order)))
        metadata: dict[str, Any] = {"stages": _table(rows)}
        for row in growth_table(experiment, stages):
            if row.iteration == iteration:
                metadata |= {"heldout_mean_words": row.scores.mean_words, **row.scores.shares()}
                metadata |= {"growth": row.ratio} if row.ratio else {}
        return dg.MaterializeResult(metadata=metadata)

    return length_report


def _table(rows: list[dict[str, Any]]) -> dg.TableMetadataValue:
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {"stage": row["stage"], **{name: _number(row[name]) for name in _COLUMNS}}
            )
            for row in rows
        ],
        schema=dg.TableSchema(
            [dg.TableColumn("stage"), *(dg.TableColumn(name, "float") for name in _COLUMNS)]
        ),
    )


def _number(value: float | None) -> float | str:
    return "" if value is None else round(value, 1)
