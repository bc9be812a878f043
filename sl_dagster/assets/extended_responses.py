"""``extended_responses``: the responses that have grown enough, the longest preferred.

Paper, section 3.3.
"""

from collections.abc import Iterator
from dataclasses import replace

import dagster as dg

from sl_dagster.assets.description import stage_result
from sl_dagster.assets.stage_asset import stage_asset
from sl_dagster.assets.stage_config import StageConfig
from sl_dagster.assets.stage_run import begin, slots_from
from sl_dagster.experiment import Experiment
from sl_dagster.identity import seed_from
from sl_dagster.method.extension import has_grown
from sl_dagster.method.selection import select_longest
from sl_dagster.method.words import count_words
from sl_dagster.records import Record
from sl_dagster.resources.stage_runner import StageRun, StageRunner
from sl_dagster.resources.stage_store import StoredStage


def extended_responses_asset(experiment: Experiment) -> dg.AssetsDefinition:
    """The responses to train on, as records."""
    rounds = experiment.extension.rounds
    last_stage = f"round{rounds}_stage2" if rounds else "initial_responses"

    @stage_asset(
        experiment,
        "extended_responses",
        description=(
            "The responses that became long enough to train on; the longer, the likelier selected."
            if rounds
            else "The initial responses, selected by length: this experiment does not extend them."
        ),
        kinds={"parquet"},
        inputs={"responses": last_stage},
        settings=("extension.growth",) if rounds else (),
    )
    def extended_responses(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        responses: StoredStage,
    ) -> dg.MaterializeResult:
        changed = config.over(experiment)
        growth = changed.extension.growth if rounds else 0.0
        run = begin(context, config, changed, made_from=[responses], settings=[growth])
        reasons = _reasons_against(responses, growth, seed_from(run.fingerprint, "selection"))
        records = _judged(run, responses, reasons)
        return stage_result(runner.write(run, records, len(responses)))

    return extended_responses


def _reasons_against(responses: StoredStage, growth: float, seed: int) -> list[str | None]:
    """Per response, why it is not kept: it has not grown enough, or others were longer."""
    grown = [
        has_grown(record.words, count_words(record.initial_response or ""), growth)
        for record in responses.records()
    ]
    lengths = responses.column("characters")
    stays = iter(select_longest([n for n, good in zip(lengths, grown, strict=True) if good], seed))
    return [(None if next(stays) else "selection") if good else "not_grown" for good in grown]


def _judged(run: StageRun, responses: StoredStage, reasons: list[str | None]) -> Iterator[Record]:
    slots = slots_from(run, responses.records(), 1, None)
    for slot, reason in zip(slots, reasons, strict=True):
        source = slot.source
        assert source
        yield replace(
            slot.blank,
            instruction=source.instruction,
            initial_response=source.initial_response or source.text,
            text=source.text,
            adapter=source.adapter,
            tokens=source.tokens,
            kept=reason is None,
            drop_reason=reason,
        )
