"""What every engine offers, and what is asked of it. No engine's own code belongs here."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sl_dagster.experiment import Sampling
from sl_dagster.method.plain_text import plain_text
from sl_dagster.method.prompts import Message
from sl_dagster.resources.adapters import Adapter


@dataclass(frozen=True)
class Request:
    """One turn to be written by the model.

    Attributes:
        message: the user's message.
        sampling: how to draw the tokens.
        seed: makes the draw repeatable.
        adapter: whose weights to use; the bare base model has no path.
        begun: the beginning of the assistant's turn, which the model continues.
        choices: if there are any, the completion is one of them. Only an endpoint of the ``openai``
            engine that does not know vLLM's ``structured_outputs`` may answer something else.
        graded: of the choice that it makes, the model says how probable it was.
        json_schema: if there is one, the completion is a JSON text that fits it (or the beginning
            of one, where the token limit cuts it off). Only an endpoint of the ``openai`` engine
            that does not know ``response_format`` may answer something else.
    """

    message: Message
    sampling: Sampling
    seed: int
    adapter: Adapter
    begun: str = ""
    choices: tuple[str, ...] = ()
    graded: bool = False
    json_schema: dict[str, Any] | None = None

    def limited_to(self, max_tokens: int) -> "Request":
        """The same request with at most this many tokens for the completion."""
        limit = min(max_tokens, self.sampling.max_tokens)
        sampling = self.sampling.model_copy(update={"max_tokens": limit})
        return replace(self, sampling=sampling)


@dataclass(frozen=True)
class Completion:
    """What the model wrote.

    Attributes:
        text: without the begun part, special tokens and stop strings; whatever an endpoint sent,
            what is no text (see ``plain_text``) is replaced.
        tokens: number of tokens generated, the end-of-turn token not counted (an endpoint of the
            ``openai`` engine that is not vLLM may count it).
        prompt_tokens: number of tokens of the rendered prompt, the begun part included.
        finish_reason: ``stop`` (the model ended its turn), ``stop_string`` (one of the sampling's
            stop strings ended it), ``unknown`` (either of them; the endpoint does not say which),
            ``length`` (cut off by a limit) or ``repetition`` (it went round in circles).
        probability: of ``text`` among the ``choices`` of a ``graded`` request, to the model itself,
            whatever its sampling; None of other requests, and where an endpoint of the ``openai``
            engine does not say.
    """

    text: str
    tokens: int
    prompt_tokens: int
    finish_reason: str
    probability: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", plain_text(self.text))

    def cut_to(self, part: str) -> "Completion":
        """The same with a part of the text; engines count whole ones, so it has its share."""
        share = len(part) / max(1, len(self.text))
        return replace(self, text=part, tokens=round(self.tokens * share))


class Engine(ABC):
    """Something that completes turns with a base model and any number of LoRA adapters.

    Many requests should be awaited at the same time: an engine batches what is waiting and answers
    each as it finishes, in any order. All requests must come from one event loop.

    Attributes:
        say: takes a line for the log of the run that uses the engine.
    """

    def __init__(self) -> None:
        self.say: Callable[[str], None] = lambda line: None

    @property
    @abstractmethod
    def concurrency(self) -> int:
        """How many requests keep the engine busy; more only wait."""

    @property
    def gpus(self) -> int | None:
        """How many GPUs it generates on; None if that is not known here."""
        return None

    @abstractmethod
    async def complete(self, request: Request) -> Completion:
        """Write one turn.

        The same request gives the same text, up to the rounding of different batches.

        Raises:
            UserError: the model or the adapter cannot be used; the message says why.
        """

    @abstractmethod
    def release(self) -> None:
        """Give the memory of the device back; the next request takes it again."""

    @abstractmethod
    def close(self) -> None:
        """End the engine for good."""
