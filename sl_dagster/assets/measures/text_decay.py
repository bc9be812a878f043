"""``text_decay``: where long texts begin to repeat themselves, for all models side by side."""

from typing import Any

import dagster as dg

from sl_dagster.assets.stage.asset import Asset
from sl_dagster.assets.stage.description import as_table, headline
from sl_dagster.assets.stage.pictures import lines_picture, picture
from sl_dagster.assets.stage.run import StageRun
from sl_dagster.benchmarks import BENCHMARKS
from sl_dagster.experiment import Experiment
from sl_dagster.method.text_decay import MIN_PART_TOKENS, PARTS
from sl_dagster.results.decay import ModelDecay, decay_table
from sl_dagster.results.plots import DECAY_MEASURES, decay_curves


class TextDecay(Asset):
    """Repetition and diversity along the answers that measure models."""

    name = "text_decay"
    description = (
        "Repetition, Distinct-2 and self-similarity in each fifth of the answers to held-out "
        "instructions and benchmarks, from the base model on."
    )
    kinds = ("python",)
    per = "experiment"
    reads = None

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        # Only scores come after the loop; what needs none of them is made within it.
        self.job = "evaluate" if experiment.benchmarks else "iteration"
        heldout = ("heldout_base", "heldout_responses") if experiment.heldout else ()
        self.deps = (*heldout, *(BENCHMARKS[name].asset for name in experiment.benchmarks))

    def make(self, run: StageRun) -> dg.MaterializeResult:
        table = decay_table(run.experiment, run.stages)
        long = [one for one in table if one.decay.parts]
        metadata: dict[str, Any] = {"headline": headline(run.key, *_said(long))}
        if long:
            metadata["repetition"] = _repetition(long)
        metadata |= {
            "texts": sum(one.decay.texts for one in table),
            "too_short": sum(one.decay.too_short for one in table),
        }
        for answers_to in dict.fromkeys(one.answers_to for one in table):
            chosen = [one for one in table if one.answers_to == answers_to]
            metadata[f"{answers_to}_fifths"] = _table(chosen)
            metadata[f"{answers_to}_answers"] = _counts(chosen)
            metadata[f"{answers_to}_decay"] = picture(
                "quality along the text", decay_curves(chosen), 3.2, panels=len(DECAY_MEASURES)
            )
        return dg.MaterializeResult(metadata=metadata)


def _said(long: list[ModelDecay]) -> tuple[str, ...]:
    """How much the last model repeats itself where its texts end."""
    if not long:
        return ("No text is long enough for fifths",)
    last = _of_the_first_kind(long)[-1]
    first, end = (last.decay.parts[place].repetition for place in (0, -1))
    return (
        f"Model {last.model}, {last.answers_to} answers",
        "4-grams that have occurred before:",
        f"{first:.1%} in the first fifth, {end:.1%} in the last",
    )


def _repetition(long: list[ModelDecay]) -> dg.MarkdownMetadataValue:
    """Repetition from fifth to fifth of the last model, beside the first."""
    models = _of_the_first_kind(long)
    lines = [
        (
            f"model {one.model}",
            [(place, part.repetition) for place, part in enumerate(one.decay.parts, 1)],
        )
        for one in dict.fromkeys((models[-1], models[0]))
    ]
    return lines_picture("4-grams that occurred before", lines, "fifth")


def _of_the_first_kind(long: list[ModelDecay]) -> list[ModelDecay]:
    """Those that answer the same as the first: others cannot be compared with it."""
    return [one for one in long if one.answers_to == long[0].answers_to]


def _counts(chosen: list[ModelDecay]) -> dg.TableMetadataValue:
    """What is too short for fifths stands here, even where no text of a model is long enough."""
    too_short = f"under_{PARTS * MIN_PART_TOKENS}_tokens"
    return as_table(
        {"model": one.model, "texts": one.decay.texts, too_short: one.decay.too_short}
        for one in chosen
    )


def _table(chosen: list[ModelDecay]) -> dg.TableMetadataValue:
    """One row per model and measure, the fifths side by side."""
    fifths = [f"fifth_{number}" for number in range(1, PARTS + 1)]
    rows = []
    for one in chosen:
        for measure in DECAY_MEASURES if one.decay.parts else ():
            values = [round(getattr(part, measure), 3) for part in one.decay.parts]
            rows.append(
                {"model": one.model, "measure": measure, **dict(zip(fifths, values, strict=True))}
            )
    return as_table(rows, ["model", "measure"], fifths)
