"""``generator_sft`` and ``extender_sft``: what both roles learn from (paper, section 3.3)."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import dagster as dg

from sl_dagster.assets.stage.asset import stage_asset
from sl_dagster.assets.stage.config import StageConfig
from sl_dagster.assets.stage.description import stage_result
from sl_dagster.assets.stage.run import begin, slots_from
from sl_dagster.experiment import Experiment
from sl_dagster.method.prompts import Message
from sl_dagster.method.training_pairs import extender_pair, generator_pair
from sl_dagster.resources.adapters import Role
from sl_dagster.resources.records import SFT_SCHEMA
from sl_dagster.resources.stage_runner import Slot, StageRunner
from sl_dagster.resources.storage.stage_store import StoredStage

_Pair = tuple[list[Message], list[Message]]


def sft_assets(experiment: Experiment) -> list[dg.AssetsDefinition]:
    """One training set per role."""
    generator = _sft_set(
        experiment,
        "generator",
        "Training examples of the Generator: the instruction leads to the extended response.",
        _generator_pair,
        made_with=lambda changed: [],
    )
    if "extender" not in experiment.roles:
        return [generator]
    return [
        generator,
        _sft_set(
            experiment,
            "extender",
            "Training examples of the Extender: the extension prompt of the initial response, "
            "some of its lines missing, leads to the extended response.",
            _extender_pair,
            made_with=_extender_settings,
            settings=("extension.line_dropout",),
        ),
    ]


def _generator_pair(experiment: Experiment, slot: Slot) -> _Pair:
    instruction, _, extended = _texts(slot)
    return generator_pair(instruction, extended)


def _extender_pair(experiment: Experiment, slot: Slot) -> _Pair:
    return extender_pair(
        *_texts(slot),
        experiment.prompts_by_language[slot.blank.language],
        dropout=experiment.extension.line_dropout,
        seed=slot.seed(1),
    )


def _extender_settings(experiment: Experiment) -> list[Any]:
    prompts = [experiment.prompts_by_language[name].extend for name in experiment.languages]
    return [prompts, experiment.extension.line_dropout]


def _sft_set(
    experiment: Experiment,
    role: Role,
    description: str,
    pair: Callable[[Experiment, Slot], _Pair],
    made_with: Callable[[Experiment], list[Any]],
    settings: tuple[str, ...] = (),
) -> dg.AssetsDefinition:
    @stage_asset(
        experiment,
        f"{role}_sft",
        description=description,
        kinds={"parquet"},
        inputs=("extended_responses",),
        code_version="2",
        settings=settings,
        role=role,
    )
    def sft_set(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        extended_responses: StoredStage,
    ) -> dg.MaterializeResult:
        changed = config.over(experiment)
        run = begin(
            context,
            config,
            changed,
            made_from=[extended_responses],
            settings=made_with(changed),
        )

        def records() -> Iterator:
            for slot in slots_from(run, extended_responses.records(), 1, None):
                prompt, completion = pair(changed, slot)
                yield replace(
                    slot.blank,
                    instruction=_texts(slot)[0],
                    prompt=tuple(prompt),
                    completion=tuple(completion),
                )

        stage = runner.write(run, records(), len(extended_responses), SFT_SCHEMA)
        return stage_result(stage, [extended_responses])

    return sft_set


def _texts(slot: Slot) -> tuple[str, str, str]:
    """Instruction, initial response and extended response."""
    source = slot.source
    assert source and source.text is not None
    return str(source.instruction), str(source.initial_response), source.text
