"""The ``openai`` engine: endpoints that somebody else runs, one or several.

They are examined before they are asked (``examination.py``); who fails is left alone for a while.
"""

import asyncio
import os
import time
from collections.abc import Sequence

import openai

from sl_dagster.errors import UserError
from sl_dagster.experiment import OpenAISettings, ServedModel
from sl_dagster.resources.engines.endpoint import Endpoint
from sl_dagster.resources.engines.endpoint_errors import (
    PASSING_ERRORS,
    StumbleError,
    UnreadableError,
    in_a_line,
    seconds_asked_for,
)
from sl_dagster.resources.engines.examination import Examination
from sl_dagster.resources.engines.published_place import PublishedPlace
from sl_dagster.resources.engines.remote_engine import ATTEMPTS, SECONDS_LIMITED, RemoteEngine

_IN_FLIGHT_PER_ENDPOINT = 128
_BUSY = (openai.RateLimitError, openai.InternalServerError)  # it is there, perhaps still loading
_SECONDS_TO_COME_BACK = 300.0  # to write a token, perhaps behind the requests of other runs


class OpenAIEngine(RemoteEngine):
    """See ``Engine``; settings are ``served.engine``."""

    _settings: OpenAISettings

    def __init__(self, served: ServedModel, settings: OpenAISettings) -> None:
        super().__init__(served, settings)
        model, adapters = settings.model or served.model, settings.adapters
        by_name = adapters if served.lora_rank else None
        self._place = by_name and PublishedPlace(by_name, served, model)
        self._examination = Examination(served, settings, self._place, lambda line: self.say(line))
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
            found = await asyncio.gather(
                *map(self._examination.of, endpoints), return_exceptions=True
            )
            self._begin_with(endpoints, found)
            if not any(one.health.well for one in endpoints):
                await self._wait_until_one_is_well(next(filter(None, found)))
        for endpoint in self._endpoints:
            if not endpoint.health.well and endpoint.health.rested:
                self._looked_after(endpoint)
        if not any(one.health.well for one in self._endpoints):
            await self._wait_until_one_is_well()

    async def _wait_until_one_is_well(self, found: BaseException | None = None) -> None:
        """Look after all at once, for it may be a connection only, and then as they have rested.

        One request at a time gets ready, so that one waits here for all, and none loses an attempt.

        Args:
            found: what a look has just found; without it, all are looked after at once.
        """
        give_up = time.monotonic() + SECONDS_LIMITED  # where all only say that they are busy
        looked_at = [] if found else self._endpoints
        while True:
            errors = await asyncio.gather(*map(self._looked_after, looked_at))
            if any(one.health.well for one in self._endpoints):
                return
            # None, if one was taken back, and an older request failed before this went on.
            found = next((error for error in errors if error), found)
            if not self._endpoints:
                raise found or UserError("engine.base_urls: none of the endpoints is left")
            reason = in_a_line(found) if found else "it has failed again"
            rests = min(one.health.rests for one in self._endpoints)
            if rests >= ATTEMPTS or time.monotonic() > give_up:
                urls = ", ".join(endpoint.url for endpoint in self._endpoints)
                raise UserError(f"no endpoint answers any more ({urls}): {reason}") from found
            pause = min(one.health.seconds_to_rest for one in self._endpoints)
            self.say(f"no endpoint answers: asking again in {pause:.0f} s: {reason}")
            await asyncio.sleep(pause)
            looked_at = [one for one in self._endpoints if one.health.rested]

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
        """Begin when one endpoint answers; one that cannot do what is needed ends the run.

        Where none does, wait for those that are there and busy; of others, the address is wrong.
        """
        silent = [error for error in found if isinstance(error, PASSING_ERRORS)]
        for endpoint, error in zip(endpoints, found, strict=True):
            if isinstance(error, UnreadableError):
                raise _cannot_be_used([endpoint], [error]) from error
            if error and error not in silent:
                raise error
        if len(silent) == len(endpoints) and not any(isinstance(one, _BUSY) for one in silent):
            raise _cannot_be_used(endpoints, silent) from silent[0]
        for endpoint, error in zip(endpoints, found, strict=True):
            if error is None:
                endpoint.health.recovered()
            else:
                pause = _failed(endpoint, error)
                self.say(
                    f"{endpoint.url} does not answer: it is asked again in {pause:.0f} s: "
                    f"{in_a_line(error)}"
                )
        self._endpoints = endpoints

    async def _take_back(self, endpoint: Endpoint) -> Exception | None:
        """Ask an endpoint that was away whether it is what it was; return what is against it."""
        try:
            async with asyncio.timeout(_SECONDS_TO_COME_BACK):
                await self._examination.of(endpoint)
                await endpoint.say_hello()
        except PASSING_ERRORS as error:
            _failed(endpoint, error)
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

    def _client(self, url: str, key: str | None) -> Endpoint:
        settings = self._settings
        model = settings.model or self._served.model
        detection = settings.repetition_detection
        chat = self._served.chat
        timeout = settings.request_timeout
        self._clients.append(Endpoint(url, key, model, timeout, detection, chat, self._place))
        return self._clients[-1]

    def _key(self) -> str | None:
        """What stands in the variable; a secret that was a file may have brought its line end."""
        variable = self._settings.api_key_env
        if not variable:
            return None
        if variable not in os.environ:
            raise UserError(f"engine.api_key_env: the environment has no variable {variable}")
        key = os.environ[variable].strip()
        wrong = None
        if not key:
            wrong = "is empty"
        elif not key.isascii() or not key.isprintable():
            wrong = "holds line ends, control characters or letters beyond ASCII, as no key does"
        elif {key[0], key[-1]} & {*"\"'`"}:
            wrong = "holds the key in quotation marks, which are no part of it"
        if wrong:
            raise UserError(f"engine.api_key_env: the variable {variable} {wrong}: set it anew")
        return key


def _cannot_be_used(endpoints: list[Endpoint], why: Sequence[BaseException]) -> UserError:
    """The message that none of these endpoints can be used, with each reason once."""
    urls = ", ".join(endpoint.url for endpoint in endpoints)
    reasons = "; ".join(dict.fromkeys(map(in_a_line, why)))
    return UserError(f"engine.base_urls: {urls} cannot be used: {reasons}")


def _failed(endpoint: Endpoint, error: BaseException) -> float:
    """Leave an endpoint alone that has answered with an error that passes; see ``Health``."""
    busy = isinstance(error, openai.RateLimitError)
    return endpoint.health.failed(seconds_asked_for(error), busy)
