"""The ``vllm`` engine: the client of a vLLM server that belongs to the run."""

import asyncio
import math

from sl_dagster.errors import UserError
from sl_dagster.experiment import ServedModel, VllmSettings
from sl_dagster.models.memory import SAYS_SHORT_OF_MEMORY
from sl_dagster.resources.devices import visible_gpus
from sl_dagster.resources.engines.endpoint import Endpoint
from sl_dagster.resources.engines.remote_engine import RemoteEngine
from sl_dagster.resources.engines.vllm_options import SERVED_NAME, max_num_seqs
from sl_dagster.resources.engines.vllm_server import LESS_MEMORY_TO_SERVE, VllmServer

_DEATHS_SURVIVED = 1
# Each of these options multiplies the number of GPUs that the server takes.
_PARALLEL = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")


class VllmEngine(RemoteEngine):
    """See ``Engine``; settings are ``served.engine``.

    The server starts at the first request. If it dies in between it is started once more, and what
    was under way is asked again; a second death ends the run.

    Attributes:
        server: the server.
    """

    def __init__(self, served: ServedModel, settings: VllmSettings) -> None:
        super().__init__(served, settings)
        self._vllm = settings
        self.server = VllmServer(served, settings, lambda line: self.say(line))
        self._deaths = 0
        self._asleep = False
        self._left: list[Endpoint] = []  # of servers that were stopped, still to be closed

    @property
    def concurrency(self) -> int:
        if self._vllm.max_in_flight:
            return self._vllm.max_in_flight
        replicas = int(self._vllm.options.get("data_parallel_size", 1))
        # A quarter more wait at the server, so that a sequence that ends is replaced at once.
        return math.ceil(max_num_seqs(self._vllm) * replicas * 1.25)

    @property
    def gpus(self) -> int:
        options = self._vllm.options
        return min(math.prod(int(options.get(name, 1)) for name in _PARALLEL), visible_gpus())

    async def get_ready(self) -> None:
        if self._asleep:
            await asyncio.to_thread(self.server.wake_up)
            self._asleep = False
        if self._endpoints and self.server.alive:
            return
        if self._endpoints:
            self._note_death()
        for endpoint in self._left:
            await endpoint.close()
        self._left = []
        await asyncio.to_thread(self.server.start)
        self._endpoints = [
            Endpoint(
                self.server.url,
                self.server.api_key,
                SERVED_NAME,
                self._vllm.request_timeout,
                self._vllm.repetition_detection,
                self._served.chat,
            )
        ]

    def release(self) -> None:
        if not self.server.alive or self._vllm.while_training == "keep":
            return
        if self._vllm.while_training == "sleep":
            self.server.sleep()
            self._asleep = True
        else:
            self.close()

    def close(self) -> None:
        self.server.stop()
        # Connections belong to the event loop, which does not run here. Were they just dropped, it
        # would take new ones with the same file numbers for these, and never read them.
        self._left += self._endpoints
        self._endpoints = []
        self._asleep = False

    def _note_death(self) -> None:
        """The server has ended without being asked to."""
        words = self.server.last_words
        self._deaths += 1
        self.server.stop()
        if self._deaths > _DEATHS_SURVIVED:
            short = "there was" if SAYS_SHORT_OF_MEMORY.search(words) else "perhaps there was"
            raise UserError(
                f"the vLLM server died {self._deaths} times; {short} too little memory: "
                f"{LESS_MEMORY_TO_SERVE}. What is finished is in the journal, so running again "
                f"continues. Its last words:\n{words}"
            )
        self.say("the vLLM server died; starting it again and asking what is missing again")
