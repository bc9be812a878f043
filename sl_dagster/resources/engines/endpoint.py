"""One OpenAI-compatible endpoint: asking it, and having it load adapters.

What requests and answers look like is in ``chat_interface.py``. Retries, several endpoints and
servers of our own are the engines' business.
"""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import openai
from openai.types.chat import ChatCompletion

from sl_dagster.errors import UserError
from sl_dagster.experiment import RepetitionDetection
from sl_dagster.experiment.chat import Chat
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines.chat_interface import completion_of, request_fields
from sl_dagster.resources.engines.connections import client_of
from sl_dagster.resources.engines.endpoint_errors import (
    PASSING_ERRORS,
    LoadedMeanwhileError,
    StumbleError,
    UnreadableError,
    is_too_long,
    key_refused,
    nobody_sees,
    without_key,
)
from sl_dagster.resources.engines.health import Health
from sl_dagster.resources.engines.protocol import Completion, Request
from sl_dagster.resources.engines.published_place import PublishedPlace

_ADAPTERS_KEPT = 4  # of those that nobody uses any more
_PASSING_STATUS = (408, 425)  # beside 429 and 5xx, which the client has classes for
_NO_CREDIT = "insufficient_quota"  # a 429 as of a rate limit, which asking again does not mend
_OUR_IDS = "sl-dagster-"
_LOADED = "already been loaded"  # vLLM's words
_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
_REFUSALS = (openai.BadRequestError, openai.UnprocessableEntityError)


@dataclass
class _LoadedAdapter:
    """An adapter at the endpoint: the loading of it, and how many requests need it now."""

    loading: "asyncio.Future[None]"
    users: int = 0


class Endpoint:
    """A client of one endpoint.

    Attributes:
        url: its base URL, ending in ``/v1``.
        knows_choices: whether it can be held to ``Request.choices``.
        health: how it does.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None,
        model: str,
        timeout: float,
        detection: RepetitionDetection | None,
        chat: Chat,
        place: PublishedPlace | None = None,
    ) -> None:
        """A client; nothing is asked yet.

        Args:
            url: see above.
            api_key: what the endpoint wants to see; None if nothing.
            model: the name by which it serves the base model.
            timeout: seconds that an answer may take.
            detection: when to end looping generations; None if the endpoint does not know how.
            chat: how a message becomes a chat.
            place: where it looks for adapters by name; None if it is told to load them.

        Raises:
            UserError: see ``client_of``.
        """
        self.url = url.rstrip("/")
        self.knows_choices = True
        self.health = Health()
        self._api_key = api_key
        self._model = model
        self._detection = detection
        self._chat = chat
        self._place = place
        self._adapters: dict[str, _LoadedAdapter] = {}
        self._client = client_of(self.url, api_key, timeout)

    async def close(self) -> None:
        """Give its connections back; nothing can be asked any more."""
        await self._client.close()

    async def complete(self, request: Request) -> Completion:
        """Put one request to the endpoint, once.

        Raises:
            UserError: the endpoint refuses the request, and would refuse it again.
            PASSING_ERRORS: it may succeed when asked again.
        """
        try:
            async with self._served(request.adapter) as model:
                return await self._asked(request, model)
        except openai.APIStatusError as error:
            if error.status_code >= 500 and _LOADED in str(error):
                raise LoadedMeanwhileError("the adapter was being loaded already") from error
            if isinstance(error, PASSING_ERRORS):
                raise
            raise UserError(f"{self.url} refuses the request: {error}") from error

    def forget_adapters(self) -> None:
        """Load adapters anew when they are asked for: it may have been started anew."""
        self._adapters = {}

    async def models(self) -> dict[str, str | None]:
        """The models that it serves, by name; of vLLM's, also what it was told to load.

        Raises:
            UnreadableError: it answers something else, as whatever is no such endpoint does.
        """
        with self._asking():
            body = (await self._client.models.with_raw_response.list()).http_response.content
            try:
                listed = json.loads(body.decode("utf-8", "replace"))["data"]
                served = {str(model["id"]): model for model in listed}
            except _UNREADABLE as error:
                raise UnreadableError(
                    f"is this the address that ends in /v1? {self.url}/models lists no models, but "
                    f"says {self._excerpt(body)}"
                ) from error
        return {
            name: str(model["root"])
            if model.get("root") and model.get("owned_by") == "vllm"
            else None
            for name, model in served.items()
        }

    async def finds_fault_with(self, **fields: Any) -> bool:
        """Whether it refuses a request with these fields, instead of ignoring them."""
        try:
            await self._hello(self._model, **fields)
        except _REFUSALS:
            return True
        return False

    async def say_hello(self) -> None:
        """Have it write one token; who only refuses what is wrong may still be ill."""
        await self._hello(self._model)

    async def fault_with_adapter(self, name: str) -> str | None:
        """Why it cannot write with the adapter of this name; None if it can."""
        try:
            await self._hello(name)
        except (openai.NotFoundError, *_REFUSALS) as error:
            return str(error)
        return None

    async def can_load_adapters(self) -> bool:
        """Whether adapters can be loaded while it runs."""
        try:
            await self._post("/load_lora_adapter", {})
        except openai.NotFoundError:
            return False
        except _REFUSALS:
            return True  # it knows the way, and misses the adapter
        return True

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """Whatever is asked: tell what passes from what does not, and let nobody see the key."""
        with nobody_sees(self._api_key):
            try:
                yield
            except openai.AuthenticationError as error:
                raise key_refused(self.url) from error
            except openai.APIStatusError as error:
                if error.status_code in _PASSING_STATUS:
                    raise StumbleError(str(error)) from error
                if _NO_CREDIT in (error.code, error.type):
                    raise UserError(f"{self.url} gives no credit any more: {error}") from error
                raise

    async def _hello(self, model: str, **fields: Any) -> None:
        hello: Any = [{"role": "user", "content": "Hello."}]
        with self._asking():
            await self._client.chat.completions.with_raw_response.create(
                model=model, messages=hello, max_tokens=1, extra_body=fields
            )

    async def _asked(self, request: Request, model: str) -> Completion:
        asked = request_fields(request, model, self._detection, self.knows_choices, self._chat)
        limit: Any = {"max_tokens": request.sampling.max_tokens}
        # A limit beyond the end of the context is refused; without one, the context is the limit.
        for more in (limit, {}):
            try:
                with self._asking():
                    return await self._created(asked | more, request)
            except openai.APIStatusError as error:
                if not is_too_long(error):
                    raise
        return Completion("", 0, 0, "length")  # the prompt alone is too long

    async def _created(self, asked: dict[str, Any], request: Request) -> Completion:
        request_id = f"{_OUR_IDS}{uuid.uuid4().hex}"
        response = await self._client.chat.completions.with_raw_response.create(
            **asked, extra_headers={"X-Request-Id": request_id}
        )
        body = response.http_response.content
        try:
            # Wrong bytes in a text must not make the whole answer unreadable.
            answer = ChatCompletion.construct(**json.loads(body.decode("utf-8", "replace")))
            completion = completion_of(answer, request)
            answer_id, written_by = str(answer.id), str(answer.model)
        except _UNREADABLE as error:
            raise UnreadableError(
                f"what it has answered cannot be read ({error!r}): {self._excerpt(body)}"
            ) from error
        # vLLM's ids end in ours; other endpoints have ids of their own.
        other_id = _OUR_IDS in answer_id and not answer_id.endswith(request_id)
        adapters = self._place.names if self._place else self._adapters
        if other_id or (written_by != asked["model"] and written_by in adapters):
            raise StumbleError(f"it has answered another request ({answer_id}, {written_by})")
        return completion

    def _excerpt(self, body: bytes) -> str:
        """The beginning of what it has answered, for a message."""
        # Before it is cut, or else a part of the key might be left.
        return repr(without_key(body.decode("utf-8", "replace"), self._api_key)[:200])

    def _served(self, adapter: Adapter) -> contextlib.AbstractAsyncContextManager[str]:
        """The name under which an adapter is served, for as long as it is needed."""
        if adapter.path is None:
            return contextlib.nullcontext(self._model)
        return self._found(adapter, self._place) if self._place else self._loaded(adapter)

    @contextlib.asynccontextmanager
    async def _found(self, adapter: Adapter, place: PublishedPlace) -> AsyncIterator[str]:
        """The same, of an adapter that the endpoint looks for where it is published."""
        async with place.holding(adapter) as name:
            try:
                yield name
            except openai.NotFoundError as error:
                # A shared folder may need a moment until another host sees what is new in it.
                raise StumbleError(f"it does not find {name} in {place.location}: {error}") from (
                    error
                )

    @contextlib.asynccontextmanager
    async def _loaded(self, adapter: Adapter) -> AsyncIterator[str]:
        """The same, of an adapter that the endpoint is told to load."""
        # The content is part of the name, so that a stale adapter can never answer.
        name = f"{adapter.role}-{adapter.fingerprint}"
        loaded = self._adapters.pop(name, None)
        if loaded is None:
            loaded = _LoadedAdapter(asyncio.ensure_future(self._load(name, adapter)))
        self._adapters[name] = loaded  # the last one is the one used last
        loaded.users += 1
        try:
            await asyncio.shield(loaded.loading)
            yield name
        except openai.NotFoundError as error:
            # Another run has unloaded it, or the endpoint has been started anew.
            self._adapters.pop(name, None)
            raise StumbleError(f"the adapter {name} is not there any more: {error}") from error
        finally:
            loaded.users -= 1
            if loaded.loading.done() and (loaded.loading.cancelled() or loaded.loading.exception()):
                self._adapters.pop(name, None)  # to be tried again by whoever asks next

    async def _load(self, name: str, adapter: Adapter) -> None:
        path = adapter.verified().path
        idle = [other for other, loaded in self._adapters.items() if not loaded.users]
        for other in idle[: max(0, len(self._adapters) - _ADAPTERS_KEPT)]:
            del self._adapters[other]
            with contextlib.suppress(openai.NotFoundError, *_REFUSALS):  # another run was faster
                await self._post("/unload_lora_adapter", {"lora_name": other})
        try:
            await self._post("/load_lora_adapter", {"lora_name": name, "lora_path": path})
        except openai.BadRequestError as error:
            # By another run or another engine; equal names have equal weights.
            if _LOADED not in str(error):
                raise

    async def _post(self, path: str, body: dict[str, Any]) -> None:
        with self._asking():
            await self._client.post(path, cast_to=str, body=body)
