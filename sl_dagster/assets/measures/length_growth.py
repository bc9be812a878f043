"""``length_growth``: all iterations in one picture and one table."""

from collections.abc import Iterator

import dagster as dg

from sl_dagster.assets.stage.asset import Asset
from sl_dagster.assets.stage.description import as_table, headline
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
            nothing = headline(run.key, "No held-out answers have been measured yet")
            return dg.MaterializeResult(metadata={"headline": nothing, "iterations": 0})
        return dg.MaterializeResult(
            metadata={
                "headline": headline(run.key, *_said(rows)),
                "growth": growth_picture(rows),
                "table": _table(rows),
                "iterations": rows[-1].iteration,
                "mean_words": round(rows[-1].scores.mean_words, 1),
                "growth_in_detail": picture("growth with medians", growth_curve(rows), 3.6),
            }
        )


def _said(rows: list[GrowthRow]) -> Iterator[str]:
    first, last = rows[0].scores.mean_words, rows[-1].scores.mean_words
    yield f"Iteration {rows[-1].iteration}: {last:,.0f} mean words"
    if first and len(rows) > 1:
        yield f"{last / first:.2f} times the base model's {first:,.0f}"


def _table(rows: list[GrowthRow]) -> dg.TableMetadataValue:
    return as_table(
        {
            "iteration": row.iteration,
            "mean_words": round(row.scores.mean_words, 1),
            "ratio": round(row.ratio, 2) if row.ratio else "",
            "accepted": round(row.scores.accepted, 3),
            "relevant": round(row.scores.relevant, 3),
            "control": round(row.control.mean_words, 1) if row.control else "",
        }
        for row in rows
    )
