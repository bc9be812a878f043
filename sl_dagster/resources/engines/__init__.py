"""Engines: what turns requests into completions. One module per engine, one protocol for all."""

from sl_dagster.experiment import Experiment
from sl_dagster.resources.engines.protocol import Completion, Engine, Request

__all__ = ["Completion", "Engine", "Request", "open_engine"]


def open_engine(experiment: Experiment) -> Engine:
    """The engine an experiment asks for; it loads its model at the first request."""
    # Imported late, because an engine's libraries take seconds to load.
    from sl_dagster.resources.engines.transformers_engine import TransformersEngine

    return TransformersEngine(experiment)
