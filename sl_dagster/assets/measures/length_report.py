"""``length_report``: one iteration at a glance, stage by stage and before/after."""

from typing import Any

import dagster as dg

from sl_dagster.assets.stage.asset import Asset
from sl_dagster.assets.stage.description import as_table, headline
from sl_dagster.assets.stage.pictures import bars_picture, picture
from sl_dagster.assets.stage.run import StageRun
from sl_dagster.experiment import Experiment, stage_place
from sl_dagster.results.growth import GrowthRow, growth_table
from sl_dagster.results.plots import MAIN, OTHER, beside

_COLUMNS = ("records", "kept", "mean", "p10", "p50", "p90", "max")


class LengthReport(Asset):
    """The iteration's numbers."""

    name = "length_report"
    description = "Lengths of every stage of the iteration, and the Generator before and after."
    kinds = ("duckdb",)
    reads = None

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        after = ("heldout_responses", "heldout_base") if experiment.heldout else ()
        adapters = (f"{role}_lora" for role in experiment.roles)
        self.deps = ("extended_responses", *adapters, *after)

    def make(self, run: StageRun) -> dg.MaterializeResult:
        experiment, iteration = run.experiment, run.iteration
        rows = [row for row in run.lengths.stats(experiment.name) if row["iteration"] == iteration]
        rows.sort(key=lambda row: stage_place(row["stage"]))
        measured = [row for row in rows if row["kept"]]
        grown = [r for r in growth_table(experiment, run.stages) if r.iteration == iteration]
        metadata: dict[str, Any] = {"headline": headline(run.key, *_said(measured, grown))}
        if measured:
            metadata["words_by_stage"] = _bars(experiment, measured)
        for row in grown:
            metadata["heldout_mean_words"] = round(row.scores.mean_words, 1)
            metadata |= {name: round(share, 3) for name, share in row.scores.shares().items()}
            metadata |= {"growth": round(row.ratio, 2)} if row.ratio else {}
        metadata["stages"] = _table(rows)
        if measured:
            metadata["stages_in_detail"] = _plot(measured)
        return dg.MaterializeResult(metadata=metadata)


def _said(measured: list[dict[str, Any]], grown: list[GrowthRow]) -> tuple[str, ...]:
    """What the Generator's answers have come to; without any, the responses to train on."""
    for row in grown:
        words = f"{row.scores.mean_words:,.0f} words in held-out answers"
        return (words, f"{row.ratio:.2f} times as many as before") if row.ratio else (words,)
    for row in measured:
        if row["stage"] == "extended_responses":
            return (f"{row['mean']:,.0f} words in responses to train on",)
    return (f"{len(measured)} stages",)


def _bars(experiment: Experiment, rows: list[dict[str, Any]]) -> dg.MarkdownMetadataValue:
    """The mean of each stage whose texts are answers; training sets only repeat them."""
    shown = (*experiment.response_stages, *experiment.writing_stages, "heldout_responses")
    bars = [
        (row["stage"], row["mean"], f"{row['mean']:,.0f}")
        for row in rows
        if row["stage"] in shown and not row["stage"].endswith("_stage1")
    ]
    return bars_picture("mean words by stage", bars)


def _plot(rows: list[dict[str, Any]]) -> dg.MarkdownMetadataValue:
    """The mean of each stage, with a line from p10 to p90."""
    stages = [row["stage"] for row in rows]

    def draw(axes: Any) -> None:
        axes.barh(stages, [row["mean"] for row in rows], color=MAIN)
        axes.hlines(stages, [row["p10"] for row in rows], [row["p90"] for row in rows], color=OTHER)
        for place, row in enumerate(rows):
            beside(axes, f"{row['mean']:.0f}", max(row["mean"], row["p90"]), place)
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.tick_params(left=False)
        axes.set_xlabel("mean words; line: p10 to p90")

    return picture("mean words by stage", draw, height=0.9 + 0.3 * len(rows))


def _table(rows: list[dict[str, Any]]) -> dg.TableMetadataValue:
    shown = [
        {"stage": row["stage"], **{name: _number(row[name]) for name in _COLUMNS}} for row in rows
    ]
    return as_table(shown, ["stage"], _COLUMNS)


def _number(value: float | None) -> float | str:
    return "" if value is None else round(value, 1)
