"""Answers that measure a model: all of them are kept, good or not.

``drop_reason`` only notes what the response filter says. Held-out instructions and benchmarks work
alike in this; what an answer is measured by is theirs.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg
import pyarrow as pa

from sl_dagster.assets.loop.initial_responses import response_attempt
from sl_dagster.assets.stage.config import StageConfig
from sl_dagster.assets.stage.run import begin, served_with, slots_from
from sl_dagster.experiment import Experiment, Sampling
from sl_dagster.identity import seed_from
from sl_dagster.method.prompts import Message
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines import Request
from sl_dagster.resources.records import TEXT_SCHEMA, Record
from sl_dagster.resources.stage_runner import Ask, Generation, Slot, StageRunner
from sl_dagster.resources.storage.stage_store import StoredStage


@dataclass(frozen=True)
class Measurement:
    """What a model is asked, and how its answers are measured.

    Attributes:
        sources: what is asked, each as the ``text`` of a record.
        sampling: how it answers.
        measured: given an answer and its source, the answer with what it measures.
        settings: what the measures depend on besides, as JSON-serialisable values.
        schema: the columns to store.
    """

    sources: list[Record]
    sampling: Sampling
    measured: Callable[[Record, Record], Record]
    settings: list[Any]
    schema: pa.Schema = TEXT_SCHEMA


def measured_answers(
    context: dg.AssetExecutionContext,
    config: StageConfig,
    runner: StageRunner,
    experiment: Experiment,
    model: Adapter,
    measurement: Measurement,
) -> StoredStage:
    """Let a model answer, and measure every answer."""
    sources, sampling = measurement.sources, measurement.sampling
    served, weights = served_with(experiment, model)
    run = begin(
        context,
        config,
        experiment,
        made_from=[model],
        settings=[measurement.settings, sampling.model_dump(), experiment.filter.model_dump()],
    )

    async def attempt(slot: Slot, number: int, ask: Ask) -> Record:
        assert slot.source
        message = Message(role="user", content=str(slot.source.text))
        # The same draws for the same question to every model, and in the control, too.
        seed = seed_from(experiment.seed, slot.source.position, slot.source.text)
        answer = await response_attempt(
            experiment, slot, Request(message, sampling, seed, weights), ask
        )
        return measurement.measured(replace(answer, kept=True, parents=()), slot.source)

    generation = Generation(
        slots=lambda: slots_from(run, sources, 1, model),
        count=len(sources),
        tries=1,
        attempt=attempt,
        schema=measurement.schema,
    )
    return runner.generate(run, served, generation)
