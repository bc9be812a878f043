"""``extended_responses``: the responses to train on, the longest preferred.

With Self-Lengthen, those that have grown enough (paper, section 3.3). A baseline has other long
responses in their place: texts written to a plan, or (in ``back_translation.py``) documents.
"""

from collections.abc import Iterator
from dataclasses import replace

import dagster as dg

from sl_dagster.assets.stage.asset import stage_asset
from sl_dagster.assets.stage.config import StageConfig
from sl_dagster.assets.stage.description import stage_result
from sl_dagster.assets.stage.run import begin, slots_from
from sl_dagster.experiment import Experiment
from sl_dagster.identity import seed_from
from sl_dagster.method.extension import has_grown
from sl_dagster.method.selection import select_longest
from sl_dagster.method.words import count_words
from sl_dagster.resources.records import Record
from sl_dagster.resources.stage_runner import StageRun, StageRunner
from sl_dagster.resources.storage.stage_store import StoredStage

_DESCRIPTIONS = {
    "": "The responses that became long enough to train on; the longer, the likelier selected.",
    "initial_responses": (
        "The initial responses as they are: this experiment does not extend them."
    ),
    "planned_responses": (
        "The texts that were written to a plan, in place of extended ones; the longer, the "
        "likelier selected."
    ),
}


def extended_responses_asset(experiment: Experiment) -> dg.AssetsDefinition:
    """The responses to train on, as records."""
    last_stage = experiment.writing_stages[-1]
    extends = last_stage not in ("initial_responses", "planned_responses")

    @stage_asset(
        experiment,
        "extended_responses",
        description=_DESCRIPTIONS.get(last_stage, _DESCRIPTIONS[""]),
        kinds={"parquet"},
        inputs={"responses": last_stage},
        settings=("extension.growth",) if extends else (),
    )
    def extended_responses(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        responses: StoredStage,
    ) -> dg.MaterializeResult:
        changed = config.over(experiment)
        growth = changed.extension.growth if extends else 0.0
        selecting = experiment.length_selection
        run = begin(context, config, changed, made_from=[responses], settings=[growth, selecting])
        initial = [
            count_words(record.initial_response or record.text or "")
            for record in responses.records()
        ]
        seed = seed_from(run.fingerprint, "selection") if selecting else None
        reasons = reasons_against(responses, initial, growth, seed)
        stage = runner.write(run, _judged(run, responses, reasons), len(responses))
        return stage_result(stage, [responses], before=initial if extends else ())

    return extended_responses


def reasons_against(
    responses: StoredStage, initial: list[int], growth: float, seed: int | None
) -> list[str | None]:
    """Per response, why it is not kept: it has not grown enough, or others were longer.

    Args:
        initial: words of the responses before they were extended.
        growth: see ``method.extension.has_grown``.
        seed: of the selection; without one nothing is dropped for others being longer.
    """
    words = responses.column("words")
    grown = [has_grown(*lengths, growth) for lengths in zip(words, initial, strict=True)]
    if seed is None:
        return [None if good else "not_grown" for good in grown]
    lengths = responses.column("characters")
    stays = iter(select_longest([n for n, good in zip(lengths, grown, strict=True) if good], seed))
    return [(None if next(stays) else "selection") if good else "not_grown" for good in grown]


def _unextended(response: Record) -> str | None:
    """What stands for the initial response where nothing extended it: a planned text has none."""
    return response.text if response.stage == "initial_responses" else None


def _judged(run: StageRun, responses: StoredStage, reasons: list[str | None]) -> Iterator[Record]:
    slots = slots_from(run, responses.records(), 1, None)
    for slot, reason in zip(slots, reasons, strict=True):
        source = slot.source
        assert source
        yield replace(
            slot.blank,
            instruction=source.instruction,
            initial_response=source.initial_response or _unextended(source),
            text=source.text,
            adapter=source.adapter,
            tokens=source.tokens,
            kept=reason is None,
            drop_reason=reason,
        )
