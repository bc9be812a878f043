"""What an engine is told to serve; both the experiment and its judge say it of their model."""

from dataclasses import dataclass
from typing import Literal

from sl_dagster.experiment.chat import Chat
from sl_dagster.experiment.engines import EngineSettings
from sl_dagster.experiment.sections import Sampling

Form = Literal["begun", "choices", "json_schema"]
"""What a request may hold beyond a message, by its field in ``engines.protocol.Request``."""


@dataclass(frozen=True)
class ServedModel:
    """A model, what it runs on, and what it will be asked for.

    Attributes:
        name: tells it from the other models of a run, and names the folder of its server's log.
        model: a model's folder, or its id on the Hugging Face hub.
        revision: the hub revision of ``model``.
        engine: what it runs on.
        chat: how a message becomes a chat.
        samplings: all ways in which it will be sampled.
        forms: all that its requests will hold beyond a message.
        lora_rank: the largest rank of the adapters that are served beside it; None without any.
    """

    name: str
    model: str
    revision: str
    engine: EngineSettings
    chat: Chat
    samplings: tuple[Sampling, ...]
    forms: tuple[Form, ...]
    lora_rank: int | None = None

    @property
    def stop_strings(self) -> int:
        """The most stop strings that one request will have: one more than any sampling says."""
        return max((len(sampling.stop) for sampling in self.samplings), default=0) + 1
