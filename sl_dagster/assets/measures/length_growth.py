"""``length_growth``: all iterations in one picture and one table."""

import dagster as dg

from sl_dagster.assets.stage.asset import Asset
from sl_dagster.assets.stage.pictures import growth_picture, picture
from sl_dagster.assets.stage.run import StageRun
from sl_dagster.results.growth import GrowthRow, growth_table
from sl_dagster.results.plots import growth_curve


class LengthGrowth(Asset):
    """The experiment's growth so far."""

    name = "length_growth"
    description = (
        "The Generator's mean words on held-out instructions, from the base model on; beside it "
        "the control, if the experiment names one."
    )
    kinds = ("parquet", "matplotlib")
    deps = ("length_report",)
    per = "experiment"
    reads = None

    def make(self, run: StageRun) -> dg.MaterializeResult:
        rows = growth_table(run.experiment, run.stages)
        if not rows:
            return dg.MaterializeResult(metadata={"iterations": 0})
        return dg.MaterializeResult(
            metadata={
                "iterations": rows[-1].iteration,
                "mean_words": round(rows[-1].scores.mean_words, 1),
                "growth": growth_picture(rows),
                "growth_in_detail": picture("growth with medians", growth_curve(rows), 3.6),
                "table": _table(rows),
            }
        )


def _table(rows: list[GrowthRow]) -> dg.TableMetadataValue:
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "iteration": row.iteration,
                    "mean_words": round(row.scores.mean_words, 1),
                    "ratio": round(row.ratio, 2) if row.ratio else "",
                    "accepted": round(row.scores.accepted, 3),
                    "relevant": round(row.scores.relevant, 3),
                    "control_mean_words": round(row.control.mean_words, 1) if row.control else "",
                }
            )
            for row in rows
        ]
    )
