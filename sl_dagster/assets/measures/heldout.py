"""``heldout_base`` and ``heldout_responses``: the measurement of what the loop has achieved.

Instructions that never occur in training are answered by the bare base model, and after every
iteration by its Generator. The answers are measured, not chosen: all of them are kept, and
``drop_reason`` only notes what the response filter says.
"""

from collections.abc import Sequence
from dataclasses import replace

import dagster as dg

from sl_dagster.assets.measures.measured_answers import Measurement, measured_answers
from sl_dagster.assets.stage.asset import stage_asset
from sl_dagster.assets.stage.config import StageConfig
from sl_dagster.assets.stage.description import stage_result
from sl_dagster.assets.stage.run import base_model
from sl_dagster.experiment import Experiment, Heldout
from sl_dagster.identity import fingerprint
from sl_dagster.inputs.instructions import InstructionLine, read_instructions
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.records import Record
from sl_dagster.resources.stage_runner import StageRunner
from sl_dagster.resources.storage.stage_store import StageKey, StageStore
from sl_dagster.results.growth import heldout_scores

_SETTINGS = ("heldout.sampling", "filter.preset")


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
        code_version="3",
        settings=_SETTINGS,
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
        code_version="3",
        settings=_SETTINGS,
        role="generator",
        on_gpu=True,
    )
    def heldout_responses(
        context: dg.AssetExecutionContext,
        config: StageConfig,
        runner: StageRunner,
        stages: StageStore,
        generator_lora: Adapter,
    ) -> dg.MaterializeResult:
        base = _base_lengths(experiment, stages)
        return _measure(context, config, runner, experiment, heldout, generator_lora, base)

    return heldout_responses


def _measure(
    context: dg.AssetExecutionContext,
    config: StageConfig,
    runner: StageRunner,
    experiment: Experiment,
    heldout: Heldout,
    generator: Adapter,
    before: Sequence[int] = (),
) -> dg.MaterializeResult:
    lines = read_instructions(heldout.file, experiment.languages)
    changed = config.over(experiment)
    measurement = Measurement(
        sources=[_source(experiment, place, line) for place, line in enumerate(lines)],
        sampling=changed.sampling_of("heldout"),
        measured=_relevance,
        settings=[line.model_dump() for line in lines],
    )
    stage = measured_answers(context, config, runner, changed, generator, measurement)
    shares = heldout_scores(stage).shares()
    return stage_result(stage, [generator], before=before, more=shares)


def _base_lengths(experiment: Experiment, stages: StageStore) -> Sequence[int]:
    """Words of the base model's answers, if they are stored: what this iteration's stand beside."""
    base = StageKey(experiment.name, "heldout_base", None)
    return stages.read(base).column("words") if base in stages.complete(experiment.name) else ()


def _relevance(answer: Record, source: Record) -> Record:
    """The answer with what it does not mention of what it was asked to."""
    mentions = source.mentions or ()
    text = (answer.text or "").lower()
    missing = tuple(name for name in mentions if name.lower() not in text)
    return replace(answer, mentions=mentions, missing_mentions=missing)


def _source(experiment: Experiment, position: int, line: InstructionLine) -> Record:
    return Record(
        record_id=fingerprint("heldout", experiment.name, position, line.instruction),
        experiment=experiment.name,
        iteration=0,
        stage="heldout",
        position=position,
        language=line.language,
        text=line.instruction,
        mentions=line.mentions,
    )
