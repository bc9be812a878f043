"""``engine_speed``: what the engine generates when it is full. Only previews have this asset."""

from itertools import islice

import dagster as dg

from sl_dagster.assets.stage.asset import stage_asset
from sl_dagster.assets.stage.run import base_model
from sl_dagster.experiment import Experiment
from sl_dagster.method.prompts import Message
from sl_dagster.resources.engines import Request
from sl_dagster.resources.records import Record
from sl_dagster.resources.stage_runner import StageRunner
from sl_dagster.resources.storage.stage_store import StoredStage

TOKENS_PER_SECOND = "tokens_per_second"
_INSTRUCTIONS = 64
_TOKENS = 256


def engine_speed_asset(experiment: Experiment) -> dg.AssetsDefinition:
    """The speed as metadata; a preview's few records do not fill an engine, so it is measured."""

    @stage_asset(
        experiment,
        "engine_speed",
        description="How many tokens per second the engine generates when it is full.",
        kinds={"python"},
        inputs={"sources": experiment.source_stage},
        # Measured before the others fill the engine, so never beside them.
        deps=("instructions",),
        on_gpu=True,
    )
    def engine_speed(runner: StageRunner, sources: StoredStage) -> dg.MaterializeResult:
        sampling = experiment.sampling_of("initial_responses")
        messages = (
            _message(experiment, source) for source in islice(sources.records(), _INSTRUCTIONS)
        )
        requests = [
            Request(message, sampling, 0, base_model(experiment)).limited_to(_TOKENS)
            for message in messages
        ]
        speed = runner.full_speed(experiment.served, requests)
        return dg.MaterializeResult(metadata={TOKENS_PER_SECOND: speed})

    return engine_speed


def _message(experiment: Experiment, source: Record) -> Message:
    """What the model is asked: to answer a seed, or what instruction a document answers."""
    if experiment.source_stage == "documents":
        return experiment.prompts_by_language[source.language].back_translation(str(source.text))
    return Message(role="user", content=str(source.text))
