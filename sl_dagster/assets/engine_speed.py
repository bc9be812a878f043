"""``engine_speed``: what the engine generates when it is full. Only previews have this asset."""

from itertools import islice

import dagster as dg

from sl_dagster.assets.stage_asset import stage_asset
from sl_dagster.assets.stage_run import base_model
from sl_dagster.experiment import Experiment
from sl_dagster.method.prompts import Message
from sl_dagster.resources.engines import Request
from sl_dagster.resources.stage_runner import StageRunner
from sl_dagster.resources.stage_store import StoredStage

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
        inputs=("seeds",),
        # Measured before the others fill the engine, so never beside them.
        deps=("instructions",),
        on_gpu=True,
    )
    def engine_speed(runner: StageRunner, seeds: StoredStage) -> dg.MaterializeResult:
        sampling = experiment.sampling_of("initial_responses")
        requests = [
            Request(
                Message(role="user", content=str(seed.text)), sampling, 0, base_model(experiment)
            ).limited_to(_TOKENS)
            for seed in islice(seeds.records(), _INSTRUCTIONS)
        ]
        speed = runner.full_speed(experiment, requests)
        return dg.MaterializeResult(metadata={TOKENS_PER_SECOND: speed})

    return engine_speed
