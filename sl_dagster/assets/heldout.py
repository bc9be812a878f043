"""``heldout_base`` and ``heldout_responses``: the measurement of what the loop has achieved.

Instructions that never occur in training are answered by the bare base model, and after every
iteration by its Generator. The answers are measured, not chosen: all of them are kept, and
``drop_reason`` only notes what the response filter says.
"""

from collections.abc import Iterator
from dataclasses import replace

import dagster as dg

from sl_dagster.adapters import Adapter
from sl_dagster.assets.description import stage_result
from sl_dagster.assets.initial_responses import response_attempt
from sl_dagster.assets.stage_asset import StageConfig, stage_asset
from sl_dagster.assets.stage_run import base_model, begin, slots_from
from sl_dagster.experiment import Experiment, Heldout
from sl_dagster.growth import heldout_scores
from sl_dagster.identity import fingerprint, seed_from
from sl_dagster.instruction_files import InstructionLine, read_instructions
from sl_dagster.method.prompts import Message
from sl_dagster.records import Record
from sl_dagster.resources.engines import Request
from sl_dagster.resources.stage_runner import Ask, Generation, Slot, StageRunner


def heldout_assets(experiment: Experiment) -> list[dg.AssetsDefinition]:
    """Both assets; none if the experiment has no held-out instructions."""
    if experiment.heldout is None:
        return []
    return [
        _heldout_base(experiment, experiment.heldout),
        _heldout_responses(experiment, experiment.heldout),
    ]


def _heldout_base(experiment: Experiment, heldout: Heldout) -> dg.AssetsDefinition:
    @stage_asset(
        experiment,
        "heldout_base",
        description="The bare base model's answers to the held-out instructions: iteration 0.",
        kinds={"huggingface", "parquet"},
        partitioned=False,
        code_version="2",
        role="generator",
        on_gpu=True,
    )
    def heldout_base(
        context: dg.AssetExecutionContext, config: StageConfig, runner: StageRunner
    ) -> dg.MaterializeResult:
        return _measure(context, config, runner, experiment, heldout, base_model(experiment))

    return heldout_base


def _heldout_responses(experiment: Experiment, heldout: Heldout) -> dg.AssetsDefinition:
    @stage_asset(
        experiment,
        "heldout_responses",
        description="This iteration's new Generator answers the held-out instructions.",
        kinds={"huggingface", "parquet"},
        inputs=("generator_lora",),
        code_version="2",
        role="generator",
        on_gpu=True,
    )
    def heldout_responses(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        generator_lora: Adapter,
    ) -> dg.MaterializeResult:
        return _measure(context, config, runner, experiment, heldout, generator_lora)

    return heldout_responses


def _measure(
    context: dg.AssetExecutionContext,
    config: StageConfig,
    runner: StageRunner,
    experiment: Experiment,
    heldout: Heldout,
    generator: Adapter,
) -> dg.MaterializeResult:
    lines = read_instructions(heldout.file, experiment.languages)
    sampling = experiment.sampling.overlaid(experiment.initial_responses.sampling).overlaid(
        heldout.sampling
    )
    run = begin(
        context,
        config,
        experiment,
        made_from=[generator],
        settings=[
            [line.model_dump() for line in lines],
            sampling.model_dump(),
            experiment.filter.model_dump(),
        ],
    )

    async def attempt(slot: Slot, number: int, ask: Ask) -> Record:
        assert slot.source
        message = Message(role="user", content=str(slot.source.text))
        request = Request(message, sampling, _seed(experiment, slot.source), generator)
        record = await response_attempt(experiment, slot, request, ask)
        mentions = slot.source.mentions or ()
        text = (record.text or "").lower()
        missing = tuple(name for name in mentions if name.lower() not in text)
        return replace(record, kept=True, parents=(), mentions=mentions, missing_mentions=missing)

    generation = Generation(
        slots=lambda: slots_from(run, _sources(experiment, lines), 1, generator),
        count=len(lines),
        tries=1,
        attempt=attempt,
    )
    stage = runner.generate(run, experiment, generation)
    return stage_result(stage, generator, heldout_scores(stage).shares())


def _seed(experiment: Experiment, source: Record) -> int:
    """The same draws for the same instruction in every iteration, to compare like with like."""
    return seed_from(experiment.seed, source.record_id)


def _sources(experiment: Experiment, lines: list[InstructionLine]) -> Iterator[Record]:
    for position, line in enumerate(lines):
        yield Record(
            record_id=fingerprint("heldout", experiment.name, position, line.instruction),
            experiment=experiment.name,
            iteration=0,
            stage="heldout",
            position=position,
            language=line.language,
            text=line.instruction,
            mentions=line.mentions,
        )
