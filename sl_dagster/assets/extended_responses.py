"""``extended_responses``: the responses that have grown enough, the longest preferred.

Paper, section 3.3.
"""

from collections.abc import Iterator
from dataclasses import replace

import dagster as dg

from sl_dagster.assets.description import stage_result
from sl_dagster.assets.stage_asset import StageConfig, stage_asset
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
            else "The initial responses as they are: this experiment does not extend them."
        ),
        kinds={"parquet"},
        inputs={"responses": last_stage},
    )
    def extended_responses(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        responses: StoredStage,
    ) -> dg.MaterializeResult:
        growth = experiment.extension.growth if rounds else 0.0
        selecting = experiment.length_selection
        run = begin(
            context, config, experiment, made_from=[responses], settings=[growth, selecting]
        )
        seed = seed_from(run.fingerprint, "selection") if selecting else None
        reasons = reasons_against(responses, growth, seed)
        records = _judged(run, responses, reasons)
        return stage_result(runner.write(run, records, len(responses)))

    return extended_responses


def reasons_against(responses: StoredStage, growth: float, seed: int | None) -> list[str | None]:
    """Per response, why it is not kept: it has not grown enough, or others were longer.

    Without a seed nothing is dropped for the latter.
    """
    grown = [
        has_grown(record.words, count_words(record.initial_response or ""), growth)
        for record in responses.records()
    ]
    if seed is None:
        return [None if good else "not_grown" for good in grown]
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
