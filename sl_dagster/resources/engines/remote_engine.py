"""What the engines behind an OpenAI-compatible interface have in common: asking, and asking again.

Which endpoints there are is their own business: a server that the run starts (``vllm``), or those
of somebody else (``openai``).
"""

import asyncio
import hashlib
import time
from abc import abstractmethod
from dataclasses import dataclass, field, replace

import openai
import tenacity

from sl_dagster.errors import UserError
from sl_dagster.experiment import OpenAISettings, ServedModel, VllmSettings
from sl_dagster.identity import seed_from
from sl_dagster.models.base_model import check_base_model
from sl_dagster.resources.engines.endpoint import Endpoint
from sl_dagster.resources.engines.endpoint_errors import (
    PASSING_ERRORS,
    LoadedMeanwhileError,
    StumbleError,
    UnreadableError,
    in_a_line,
    seconds_asked_for,
)
from sl_dagster.resources.engines.protocol import Completion, Engine, Request

ATTEMPTS = 6
SECONDS_LIMITED = 1800.0  # in which nobody gets an answer, all being told to ask less often


@dataclass
class _Tried:
    """What has become of a request so far.

    Attributes:
        asked: the endpoints that were asked, first to last.
        error: what the last one has said.
        attempts: those that count, which are all but those of an endpoint that is asked too often.
        limited_since: when one first said that, on the monotonic clock.
        puzzled: how often it may have been this very request that an endpoint stumbled over.
    """

    asked: list[Endpoint] = field(default_factory=list)
    error: BaseException | None = None
    attempts: int = 0
    limited_since: float | None = None
    puzzled: int = 0

    def in_vain(self, error: BaseException) -> None:
        """It was asked once more, and this came of it."""
        self.error = error
        self.puzzled += _is_puzzled(error)
        if not isinstance(error, openai.RateLimitError):
            self.attempts += 1
        elif self.limited_since is None:
            self.limited_since = time.monotonic()


class RemoteEngine(Engine):
    """A client of endpoints: it spreads requests over them and asks again when one stumbles."""

    def __init__(self, served: ServedModel, settings: OpenAISettings | VllmSettings) -> None:
        super().__init__()
        self._served = served
        self._settings = settings
        self._endpoints: list[Endpoint] = []
        self._getting_ready = asyncio.Lock()
        self._base_model_checked = False
        self._answered_at = 0.0  # of the monotonic clock, whoever has asked

    async def complete(self, request: Request) -> Completion:
        tried = _Tried()
        patience = tenacity.wait_random_exponential(multiplier=0.5, max=60)
        attempts = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(PASSING_ERRORS),
            wait=lambda state: self._pause(tried, patience(state)),
            stop=lambda _: self._is_enough(tried),
            before_sleep=self._stumbled,
            reraise=True,
        )
        try:
            async for attempt in attempts:
                with attempt:
                    async with self._getting_ready:
                        await self._check_base_model()
                        await self.get_ready()
                    endpoint = self._preferred(request, tried.asked)
                    tried.asked.append(endpoint)
                    try:
                        return await self._ask(endpoint, _varied(request, tried.puzzled))
                    except PASSING_ERRORS as error:
                        tried.in_vain(error)
                        raise
        except PASSING_ERRORS as error:
            limited = f"{SECONDS_LIMITED / 60:.0f} minutes of being told to ask less often"
            after = limited if tried.attempts < ATTEMPTS else f"{ATTEMPTS} attempts"
            raise UserError(
                f"no answer after {after}: {in_a_line(error)} "
                f"({', '.join(endpoint.url for endpoint in self._endpoints)})"
            ) from error
        raise AssertionError("unreachable: the last attempt raises")

    async def _ask(self, endpoint: Endpoint, request: Request) -> Completion:
        """Ask one endpoint once, and note how it does."""
        health, pause = endpoint.health, 0.0
        try:
            completion = await endpoint.complete(request)
        except (openai.RateLimitError, LoadedMeanwhileError):
            raise  # it is busy, not ill
        except (openai.InternalServerError, StumbleError) as error:
            pause = health.stumbled(seconds_asked_for(error))
            raise
        except openai.APIConnectionError:
            pause = health.failed()
            raise
        finally:
            if pause and len(self._endpoints) > 1:
                self.say(f"{endpoint.url} fails: it is left alone for {pause:.0f} s")
        health.succeeded()
        self._answered_at = time.monotonic()
        return completion

    def _preferred(self, request: Request, asked: list[Endpoint]) -> Endpoint:
        """The endpoint to ask, of those that are well one that has not been asked in vain.

        The same one for the same prompt, which it may have cached; and where one comes or goes,
        only its own share of the prompts moves (rendezvous hashing).
        """

        def weight(endpoint: Endpoint) -> tuple[bool, int, bytes]:
            name = f"{endpoint.url}\n{request.message['content']}".encode()
            rank = hashlib.sha256(name).digest()
            return endpoint.health.well, -asked.count(endpoint), rank

        return max(self._endpoints, key=weight)

    def _pause(self, tried: "_Tried", patience: float) -> float:
        """Seconds until a request that was asked in vain is worth asking again."""
        another = any(one.health.well and one not in tried.asked for one in self._endpoints)
        # Patience is random: those who were told to wait for as long do not come back at once.
        return 0 if another else seconds_asked_for(tried.error) + patience

    def _is_enough(self, tried: "_Tried") -> bool:
        """Whether a request was asked in vain for so often, or for so long, that none helps."""
        if tried.attempts >= ATTEMPTS or tried.limited_since is None:
            return tried.attempts >= ATTEMPTS
        # As long as others get answers, it is a matter of taking turns.
        return time.monotonic() - max(tried.limited_since, self._answered_at) > SECONDS_LIMITED

    def _stumbled(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        wait = state.next_action.sleep if state.next_action else 0
        self.say(f"asking again in {wait:.0f} s: {type(error).__name__}: {in_a_line(error)}")

    async def _check_base_model(self) -> None:
        """Its chat template is rendered by the endpoints, but must suit the loop all the same."""
        if self._served.lora_rank and not self._base_model_checked:
            served = self._served
            await asyncio.to_thread(check_base_model, served.model, served.revision, served.chat)
            self._base_model_checked = True

    @abstractmethod
    async def get_ready(self) -> None:
        """Make sure that ``self._endpoints`` are there; cheap when they are.

        Raises:
            UserError: they cannot be used.
        """


def _is_puzzled(error: BaseException) -> bool:
    """Whether it may be this very request that the endpoint stumbles over, time and again."""
    return isinstance(error, UnreadableError) or getattr(error, "status_code", None) == 500


def _varied(request: Request, puzzled: int) -> Request:
    """The same request, or one with another seed if an endpoint has stumbled over it twice."""
    return replace(request, seed=seed_from(request.seed, puzzled)) if puzzled > 1 else request
