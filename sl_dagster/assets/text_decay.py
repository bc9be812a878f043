"""``text_decay``: where long texts begin to repeat themselves, for all models side by side."""

from typing import Any

import dagster as dg

from sl_dagster.assets.pictures import picture
from sl_dagster.assets.stage_asset import stage_asset
from sl_dagster.benchmarks import BENCHMARKS
from sl_dagster.decay import ModelDecay, decay_table
from sl_dagster.experiment import Experiment
from sl_dagster.method.text_decay import MIN_PART_TOKENS, PARTS
from sl_dagster.resources.stage_store import StageStore

_MEASURES = {
    "repetition": "4-grams that occurred before",
    "distinct_2": "Distinct-2 (falls with length)",
    "self_similarity": "similarity to other fifths",
}


def text_decay_assets(experiment: Experiment) -> list[dg.AssetsDefinition]:
    """The asset; none if the experiment has no answers that measure models."""
    heldout = ("heldout_base", "heldout_responses") if experiment.heldout else ()
    benchmarks = tuple(BENCHMARKS[name].asset for name in experiment.benchmarks)
    if not heldout and not benchmarks:
        return []

    @stage_asset(
        experiment,
        "text_decay",
        description=(
            "Repetition, Distinct-2 and self-similarity in each fifth of the answers to held-out "
            "instructions and benchmarks, from the base model on."
        ),
        kinds={"python"},
        deps=(*heldout, *benchmarks),
        partitioned=False,
    )
    def text_decay(stages: StageStore) -> dg.MaterializeResult:
        table = decay_table(experiment, stages)
        metadata: dict[str, Any] = {
            "texts": sum(one.decay.texts for one in table),
            "too_short": sum(one.decay.too_short for one in table),
        }
        for answers_to in dict.fromkeys(one.answers_to for one in table):
            chosen = [one for one in table if one.answers_to == answers_to]
            metadata[f"{answers_to}_answers"] = _counts(chosen)
            metadata[f"{answers_to}_fifths"] = _table(chosen)
            metadata[f"{answers_to}_decay"] = _plot(chosen)
        return dg.MaterializeResult(metadata=metadata)

    return [text_decay]


def _counts(chosen: list[ModelDecay]) -> dg.TableMetadataValue:
    """What is too short for fifths stands here, even where no text of a model is long enough."""
    too_short = f"under_{PARTS * MIN_PART_TOKENS}_tokens"
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {"model": one.model, "texts": one.decay.texts, too_short: one.decay.too_short}
            )
            for one in chosen
        ]
    )


def _table(chosen: list[ModelDecay]) -> dg.TableMetadataValue:
    """One row per model and measure, the fifths side by side."""
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "model": one.model,
                    "measure": measure,
                    **{
                        f"fifth_{number}": round(getattr(part, measure), 3)
                        for number, part in enumerate(one.decay.parts, start=1)
                    },
                }
            )
            for one in chosen
            for measure in _MEASURES
            if one.decay.parts
        ],
        schema=dg.TableSchema(
            [
                dg.TableColumn("model"),
                dg.TableColumn("measure"),
                *(dg.TableColumn(f"fifth_{number + 1}", "float") for number in range(PARTS)),
            ]
        ),
    )


def _label(one: ModelDecay) -> str:
    too_short = f", {one.decay.too_short} too short" if one.decay.too_short else ""
    return f"{one.model} ({one.decay.texts} texts{too_short})"


def _plot(chosen: list[ModelDecay]) -> dg.MarkdownMetadataValue:
    """One panel per measure, one line per model."""

    def draw(*panels: Any) -> None:
        from matplotlib import colormaps

        colors = colormaps["viridis"].resampled(max(2, len(chosen)))
        fifths = range(1, PARTS + 1)
        for axes, (measure, title) in zip(panels, _MEASURES.items(), strict=True):
            for place, one in enumerate(chosen):
                if one.decay.parts:
                    values = [getattr(part, measure) for part in one.decay.parts]
                    axes.plot(fifths, values, marker="o", color=colors(place), label=_label(one))
            axes.set_title(title, fontsize=9)
            axes.set_xticks(fifths)
            axes.set_xlabel("fifth of the text")
        panels[0].legend(fontsize=7)

    return picture("quality along the text", draw, height=3.2, panels=len(_MEASURES))
