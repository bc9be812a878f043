"""The ``openai`` engine: endpoints that somebody else runs, one or several.

It is also the client half of the ``vllm`` engine, whose endpoint is a server of its own.
"""

import asyncio
import hashlib
import os
from abc import abstractmethod
from dataclasses import replace
from typing import Any

import openai
import tenacity

from sl_dagster.errors import UserError
from sl_dagster.experiment import OpenAISettings, ServedModel, VllmSettings
from sl_dagster.experiment.base import shortened
from sl_dagster.identity import seed_from
from sl_dagster.models.base_model import check_base_model
from sl_dagster.resources.engines.endpoint import (
    PASSING_ERRORS,
    Endpoint,
    LoadedMeanwhileError,
    StumbleError,
    UnreadableError,
)
from sl_dagster.resources.engines.protocol import Completion, Engine, Request
from sl_dagster.resources.engines.published_place import PublishedPlace

_IN_FLIGHT_PER_ENDPOINT = 128
_STOP_STRINGS = 4  # which every endpoint takes
_ATTEMPTS = 6
_SECONDS_TO_COME_BACK = 300.0  # to write a token, perhaps behind the requests of other runs
_TWO_RULES = {"choice": ["yes"], "regex": "yes"}  # only one is allowed
_NO_FORMAT = {"type": "nonsense"}


class RemoteEngine(Engine):
    """A client of endpoints: it spreads requests over them and asks again when one stumbles."""

    def __init__(self, served: ServedModel, settings: OpenAISettings | VllmSettings) -> None:
        super().__init__()
        self._served = served
        self._settings = settings
        self._endpoints: list[Endpoint] = []
        self._getting_ready = asyncio.Lock()
        self._base_model_checked = False

    async def complete(self, request: Request) -> Completion:
        asked: list[Endpoint] = []
        patience = tenacity.wait_random_exponential(multiplier=0.5, max=60)
        attempts = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(PASSING_ERRORS),
            wait=lambda state: self._pause(asked, patience(state)),
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            before_sleep=self._stumbled,
            reraise=True,
        )
        puzzled = 0
        try:
            async for attempt in attempts:
                with attempt:
                    async with self._getting_ready:
                        await self._check_base_model()
                        await self.get_ready()
                    endpoint = self._preferred(request, asked)
                    asked.append(endpoint)
                    try:
                        return await self._ask(endpoint, _varied(request, puzzled))
                    except PASSING_ERRORS as error:
                        puzzled += _is_puzzled(error)
                        raise
        except PASSING_ERRORS as error:
            raise UserError(
                f"no answer after {_ATTEMPTS} attempts: {_in_a_line(error)} "
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
        except (openai.InternalServerError, StumbleError):
            pause = health.stumbled()
            raise
        except openai.APIConnectionError:
            pause = health.failed()
            raise
        finally:
            if pause and len(self._endpoints) > 1:
                self.say(f"{endpoint.url} fails: it is left alone for {pause:.0f} s")
        health.succeeded()
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

    def _pause(self, asked: list[Endpoint], patience: float) -> float:
        """Seconds until a request that was asked in vain is worth asking again."""
        another = any(one.health.well and one not in asked for one in self._endpoints)
        return 0 if another else patience

    def _stumbled(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome and state.outcome.exception()
        wait = state.next_action.sleep if state.next_action else 0
        self.say(f"asking again in {wait:.0f} s: {type(error).__name__}: {_in_a_line(error)}")

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


class OpenAIEngine(RemoteEngine):
    """See ``Engine``; settings are ``served.engine``."""

    _settings: OpenAISettings

    def __init__(self, served: ServedModel, settings: OpenAISettings) -> None:
        super().__init__(served, settings)
        model, adapters = settings.model or served.model, settings.adapters
        by_name = adapters if served.lora_rank else None
        self._place = by_name and PublishedPlace(by_name, served, model)
        # Also those that are asked nothing any more: a client that is collected while the event
        # loop runs closes its connections twice, and so stops the reading of new ones that have got
        # their file numbers (CPython's issue 130141). Their answers would never be read.
        self._clients: list[Endpoint] = []
        # After endpoints that were away, by their URLs.
        self._looking: dict[str, asyncio.Task[Exception | None]] = {}

    @property
    def concurrency(self) -> int:
        settings = self._settings
        return settings.max_in_flight or _IN_FLIGHT_PER_ENDPOINT * len(settings.base_urls)

    async def get_ready(self) -> None:
        """Before the first record: ask every endpoint whether it can do what will be needed."""
        if not self._endpoints:
            key = self._key()
            endpoints = [self._client(url, key) for url in self._settings.base_urls]
            found = await asyncio.gather(*map(self._examine, endpoints), return_exceptions=True)
            self._begin_with(endpoints, found)
        for endpoint in self._endpoints:
            if not endpoint.health.well and endpoint.health.rested:
                self._looked_after(endpoint)
        if not any(one.health.well for one in self._endpoints):
            await self._wait_until_one_is_well()

    async def _wait_until_one_is_well(self) -> None:
        """Look after all at once, for it may be a connection only, and then as they have rested.

        One request at a time gets ready, so that one waits here for all, and none loses an attempt.
        """
        errors = await asyncio.gather(*map(self._looked_after, self._endpoints))
        while not any(one.health.well for one in self._endpoints):
            found = next(error for error in errors if error)
            if not self._endpoints:
                raise found
            reason = _in_a_line(found)
            if min(one.health.rests for one in self._endpoints) >= _ATTEMPTS:
                urls = ", ".join(endpoint.url for endpoint in self._endpoints)
                raise UserError(f"no endpoint answers any more ({urls}): {reason}") from found
            pause = min(one.health.seconds_to_rest for one in self._endpoints)
            self.say(f"no endpoint answers: asking again in {pause:.0f} s: {reason}")
            await asyncio.sleep(pause)
            rested = [one for one in self._endpoints if one.health.rested]
            errors = await asyncio.gather(*map(self._looked_after, rested))

    def _looked_after(self, endpoint: Endpoint) -> "asyncio.Task[Exception | None]":
        """Taking it back, if it is what it was; under way while the others go on."""
        if endpoint.url not in self._looking:
            task = asyncio.create_task(self._take_back(endpoint))
            self._looking[endpoint.url] = task
            task.add_done_callback(lambda _: self._looking.pop(endpoint.url, None))
        return self._looking[endpoint.url]

    def release(self) -> None:
        """Nothing here is ours to give back."""

    def close(self) -> None:
        """Nothing here is ours to end."""

    def _begin_with(self, endpoints: list[Endpoint], found: list[BaseException | None]) -> None:
        """Begin when one endpoint answers; one that cannot do what is needed ends the run."""
        silent = [error for error in found if isinstance(error, PASSING_ERRORS)]
        for error in found:
            if error and error not in silent:
                raise error
        if len(silent) == len(endpoints):
            urls = ", ".join(endpoint.url for endpoint in endpoints)
            raise UserError(f"engine.base_urls: {urls} cannot be used: {silent[0]}") from silent[0]
        for endpoint, error in zip(endpoints, found, strict=True):
            if error is None:
                endpoint.health.recovered()
            else:
                pause = endpoint.health.failed()
                self.say(f"{endpoint.url} does not answer: it is asked again in {pause:.0f} s")
        self._endpoints = endpoints

    async def _take_back(self, endpoint: Endpoint) -> Exception | None:
        """Ask an endpoint that was away whether it is what it was; return what is against it."""
        try:
            async with asyncio.timeout(_SECONDS_TO_COME_BACK):
                await self._examine(endpoint)
                await endpoint.say_hello()
        except PASSING_ERRORS as error:
            endpoint.health.failed()
            return error
        except TimeoutError:
            endpoint.health.failed()
            return StumbleError(f"it has said nothing for {_SECONDS_TO_COME_BACK:.0f} s")
        except UserError as error:
            self.say(f"{error}. It is asked nothing any more")
            self._endpoints = [one for one in self._endpoints if one is not endpoint]
            return error
        endpoint.forget_adapters()
        endpoint.health.recovered()
        self.say(f"{endpoint.url} answers again")
        return None

    async def _examine(self, endpoint: Endpoint) -> None:
        """Refuse an endpoint that cannot do what will be asked for, naming the option.

        An endpoint that does not know a field ignores it, so it is asked for something impossible:
        who knows the field finds fault with it.
        """
        try:
            await self._examine_model(endpoint)
            for option, advice, fields in self._needs():
                if not await endpoint.finds_fault_with(**fields):
                    raise UserError(f"{endpoint.url} does not know {option}: {advice}")
            count = self._served.stop_strings
            many = [f"stop {number}" for number in range(count)]
            if count > _STOP_STRINGS and await endpoint.finds_fault_with(stop=many):
                raise UserError(
                    f"{endpoint.url} does not take {count} stop strings: leave at most "
                    f"{_STOP_STRINGS - 1} in sampling.stop, for self-instruct adds one (a vLLM "
                    "server takes as many as VLLM_MAX_STOP_STRINGS says)"
                )
            if self._place:
                await self._examine_place(endpoint, self._place)
            elif self._served.lora_rank and not await endpoint.can_load_adapters():
                raise UserError(
                    f"{endpoint.url} cannot load LoRA adapters while it runs: start vLLM with "
                    "--enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1"
                )
            await self._examine_forms(endpoint)
        except openai.AuthenticationError as error:
            raise UserError(
                f"{endpoint.url} does not accept the key: set engine.api_key_env to the "
                "environment variable that holds it"
            ) from error
        except PASSING_ERRORS:
            raise
        except openai.OpenAIError as error:
            raise UserError(f"engine.base_urls: {endpoint.url} cannot be used: {error}") from error

    async def _examine_forms(self, endpoint: Endpoint) -> None:
        """Mention the forms of answers to which it cannot be held; other answers are dropped."""
        forms, url = self._served.forms, endpoint.url
        if "choices" in forms:
            endpoint.knows_choices = await endpoint.finds_fault_with(structured_outputs=_TWO_RULES)
            if not endpoint.knows_choices:
                self.say(
                    f"{url} does not know structured_outputs: where one of several "
                    "answers is asked for, as of the judge, it may say something else"
                )
        if "json_schema" in forms and not await endpoint.finds_fault_with(
            response_format=_NO_FORMAT
        ):
            self.say(
                f"{url} does not know response_format: the judge's answers may be "
                "something else than the JSON that is asked for; such answers are dropped"
            )

    async def _examine_model(self, endpoint: Endpoint) -> None:
        name = self._settings.model or self._served.model
        served = await endpoint.models()
        if name not in served:
            raise UserError(
                f"{endpoint.url} serves {', '.join(served)}, not {name}: set engine.model"
            )
        ours, root = self._served.model, served[name]
        if not root or root == ours:
            return
        if self._place:
            # vLLM's resolver compares the two strings, and does not say so.
            raise UserError(
                f"{endpoint.url} was started with the model {root}, and finds no adapters of "
                f"{ours}: start it with `--model {ours}`, or set base_model to {root}"
            )
        self.say(
            f"{endpoint.url} was started with the model {root}, and base_model is {ours}: see that "
            "this is the same model by another name"
        )

    async def _examine_place(self, endpoint: Endpoint, place: PublishedPlace) -> None:
        """Refuse an endpoint that cannot write with what is published, by an adapter of zeros."""
        async with place.trial() as name:
            fault = await endpoint.fault_with_adapter(name)
        if fault:
            raise UserError(
                f"{endpoint.url} cannot use an adapter of {self._served.model} that is published "
                f"to {place.location} and asked for as {name} ({fault}): start vLLM with "
                f"--enable-lora, --max-lora-rank {self._served.lora_rank} or more, "
                "VLLM_ALLOW_RUNTIME_LORA_UPDATING=1, VLLM_PLUGINS=lora_filesystem_resolver and "
                "VLLM_LORA_RESOLVER_CACHE_DIR (that folder, as its host sees it), or correct "
                "engine.adapters"
            )

    def _needs(self) -> list[tuple[str, str, dict[str, Any]]]:
        """The extensions that will be needed: name, what to do without, impossible value."""
        both: dict[str, Any] = {"continue_final_message": True, "add_generation_prompt": True}
        needs: list[tuple[str, str, dict[str, Any]]] = []
        if "begun" in self._served.forms:
            begun = "begun assistant turns (continue_final_message)"
            needs.append((begun, "use a vLLM endpoint", both))
        samplings = self._served.samplings
        if any(sampling.top_k for sampling in samplings):
            needs.append(("sampling.top_k", "set it to 0 everywhere", {"top_k": -7}))
        if any(sampling.repetition_penalty != 1 for sampling in samplings):
            penalty = {"repetition_penalty": -1.0}
            needs.append(("sampling.repetition_penalty", "set it to 1.0 everywhere", penalty))
        if self._served.chat.template_kwargs:
            kwargs = {"chat_template_kwargs": "none"}
            needs.append(("chat_template_kwargs", "use a vLLM endpoint", kwargs))
        if self._settings.repetition_detection:
            detection = {"repetition_detection": {"max_pattern_size": -1}}
            needs.append(("engine.repetition_detection", "set it to null", detection))
        return needs

    def _client(self, url: str, key: str | None) -> Endpoint:
        settings = self._settings
        model = settings.model or self._served.model
        detection = settings.repetition_detection
        chat = self._served.chat
        timeout = settings.request_timeout
        self._clients.append(Endpoint(url, key, model, timeout, detection, chat, self._place))
        return self._clients[-1]

    def _key(self) -> str | None:
        variable = self._settings.api_key_env
        if variable and variable not in os.environ:
            raise UserError(f"engine.api_key_env: the environment has no variable {variable}")
        return os.environ[variable] if variable else None


def _in_a_line(error: BaseException | None) -> str:
    """What it says, which may be a page or somebody else's traceback, for a line of the log."""
    return shortened(" ".join(str(error).split()) or type(error).__name__)


def _is_puzzled(error: BaseException) -> bool:
    """Whether it may be this very request that the endpoint stumbles over, time and again."""
    return isinstance(error, UnreadableError) or getattr(error, "status_code", None) == 500


def _varied(request: Request, puzzled: int) -> Request:
    """The same request, or one with another seed if an endpoint has stumbled over it twice."""
    return replace(request, seed=seed_from(request.seed, puzzled)) if puzzled > 1 else request
