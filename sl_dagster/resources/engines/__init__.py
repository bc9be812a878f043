"""Engines: what turns requests into completions. One module per engine, one protocol for all.

What belongs here: rendering, sampling, batching, servers and their faults. What is asked, and what
becomes of an answer, belongs to the stages.
"""

from sl_dagster.experiment import (
    OpenAISettings,
    ServedModel,
    TransformersSettings,
    VllmSettings,
)
from sl_dagster.resources.engines.protocol import Completion, Engine, Request

__all__ = ["Completion", "Engine", "Request", "open_engine"]


def open_engine(served: ServedModel) -> Engine:
    """The engine that a model is to run on; it gets ready at the first request."""
    settings = served.engine
    # Imported late, because an engine's libraries take seconds to load.
    match settings:
        case VllmSettings():
            from sl_dagster.resources.engines.vllm_engine import VllmEngine

            return VllmEngine(served, settings)
        case OpenAISettings():
            from sl_dagster.resources.engines.openai_engine import OpenAIEngine

            return OpenAIEngine(served, settings)
        case TransformersSettings():
            from sl_dagster.resources.engines.transformers_engine import TransformersEngine

            return TransformersEngine(served, settings)
