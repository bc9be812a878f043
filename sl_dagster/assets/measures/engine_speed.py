"""``engine_speed``: what the engine generates when it is full. Only previews have this asset."""

from itertools import islice

import dagster as dg

from sl_dagster.assets.stage.asset import Asset
from sl_dagster.assets.stage.run import StageRun, base_model
from sl_dagster.experiment import Experiment
from sl_dagster.method.prompts import Message
from sl_dagster.resources.engines import Request
from sl_dagster.resources.records import Text

TOKENS_PER_SECOND = "tokens_per_second"
_INSTRUCTIONS = 64
_TOKENS = 256


class EngineSpeed(Asset):
    """The speed as metadata; a preview's few records do not fill an engine, so it is measured."""

    name = "engine_speed"
    description = "How many tokens per second the engine generates when it is full."
    kinds = ("python",)
    # Measured before the others fill the engine, so never beside them.
    deps = ("instructions",)
    reads = None
    on_gpu = True

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        self.inputs = (experiment.source_stage,)

    def make(self, run: StageRun) -> dg.MaterializeResult:
        experiment, sources = run.experiment, run.stage(self.inputs[0])
        sampling, model = experiment.sampling_of("initial_responses"), base_model(experiment)
        requests = [
            Request(_message(experiment, source), sampling, 0, model).limited_to(_TOKENS)
            for source in islice(sources.records(Text), _INSTRUCTIONS)
        ]
        speed = run.session.full_speed(experiment.served, requests)
        return dg.MaterializeResult(metadata={TOKENS_PER_SECOND: speed})


def _message(experiment: Experiment, source: Text) -> Message:
    """What the model is asked: to answer a seed, or what instruction a document answers."""
    if experiment.source_stage == "documents":
        return experiment.prompts_by_language[source.language].back_translation(source.text)
    return Message(role="user", content=source.text)
