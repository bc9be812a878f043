"""``text_decay``: where long texts begin to repeat themselves, for all models side by side."""

from typing import Any

import dagster as dg

from sl_dagster.assets.stage.asset import Asset
from sl_dagster.assets.stage.pictures import picture
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
        metadata: dict[str, Any] = {
            "texts": sum(one.decay.texts for one in table),
            "too_short": sum(one.decay.too_short for one in table),
        }
        for answers_to in dict.fromkeys(one.answers_to for one in table):
            chosen = [one for one in table if one.answers_to == answers_to]
            metadata[f"{answers_to}_answers"] = _counts(chosen)
            metadata[f"{answers_to}_fifths"] = _table(chosen)
            metadata[f"{answers_to}_decay"] = picture(
                "quality along the text", decay_curves(chosen), 3.2, panels=len(DECAY_MEASURES)
            )
        return dg.MaterializeResult(metadata=metadata)


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
            for measure in DECAY_MEASURES
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
