"""``length_growth``: all iterations in one picture and one table."""

from collections.abc import Callable
from typing import Any

import dagster as dg

from sl_dagster.assets.pictures import MAIN, QUIET, growth_picture, picture
from sl_dagster.assets.stage_asset import stage_asset
from sl_dagster.experiment import Experiment
from sl_dagster.growth import GrowthRow, growth_table
from sl_dagster.resources.stage_store import StageStore


def length_growth_asset(experiment: Experiment) -> dg.AssetsDefinition:
    """The experiment's growth so far."""

    @stage_asset(
        experiment,
        "length_growth",
        description=(
            "The Generator's mean words on held-out instructions, from the base model on; beside "
            "it the control, if the experiment names one."
        ),
        kinds={"parquet", "matplotlib"},
        deps=("length_report",),
        partitioned=False,
    )
    def length_growth(stages: StageStore) -> dg.MaterializeResult:
        rows = growth_table(experiment, stages)
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

    return length_growth


def growth_curve(rows: list[GrowthRow]) -> Callable[..., None]:
    """What draws mean, median, and the band between p10 and p90, over the iterations."""
    iterations = [row.iteration for row in rows]
    scores = [row.scores for row in rows]
    control = [(row.iteration, row.control.mean_words) for row in rows if row.control]

    def draw(axes: Any) -> None:
        band = [[s.p10_words for s in scores], [s.p90_words for s in scores]]
        axes.fill_between(iterations, *band, color=MAIN, alpha=0.2, label="p10 to p90")
        axes.plot(iterations, [s.median_words for s in scores], "--", color=MAIN, label="median")
        means = [s.mean_words for s in scores]
        axes.plot(iterations, means, marker="o", color=MAIN, label="mean")
        for iteration, mean in zip(iterations, means, strict=True):
            axes.annotate(
                f"{mean:.0f}", (iteration, mean), (0, 7), textcoords="offset points", ha="center"
            )
        if control:
            axes.plot(*zip(*control, strict=True), marker="s", color=QUIET, label="control, mean")
        axes.legend(loc="upper left")
        axes.set_xticks(iterations)
        axes.margins(x=0.12)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("iteration (0: base model)")
        axes.set_ylabel("words of held-out answers")

    return draw


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
