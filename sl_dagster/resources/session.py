"""What a run holds from its first stage to its last: open engines, claimed iterations."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
from pydantic import PrivateAttr

from sl_dagster.experiment import ServedModel
from sl_dagster.resources.engines import Completion, Request
from sl_dagster.resources.engines.pool import EnginePool
from sl_dagster.resources.storage.run_lock import RunLock
from sl_dagster.resources.storage.stage_key import StageKey

_Result = TypeVar("_Result")


class RunSession(dg.ConfigurableResource):
    """The engines that are open and the iterations that are claimed, until the run ends.

    Attributes:
        data_dir: the data folder, which holds the locks.
    """

    data_dir: str
    _engines: EnginePool = PrivateAttr(default_factory=EnginePool)
    _lock: RunLock = PrivateAttr(default_factory=RunLock)
    # One event loop for the whole run, because engines keep connections from stage to stage.
    _loop: asyncio.Runner = PrivateAttr(default_factory=asyncio.Runner)

    @property
    def engines(self) -> EnginePool:
        """The engines of this run."""
        return self._engines

    def claim(self, key: StageKey, run_id: str) -> None:
        """Claim the stage for this run (see ``RunLock``).

        Raises:
            UserError: another run works on it.
        """
        self._lock.hold(Path(self.data_dir), key, run_id)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """End the engines and free the iterations, however the run ended."""
        self.close()

    def close(self) -> None:
        """End the engines and free the iterations."""
        self._engines.close()
        self._loop.close()
        self._lock.free()

    def wait_for(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Run to the end; of several failures at the same time, raise the first."""
        try:
            return self._loop.run(work)
        except BaseExceptionGroup as group:
            first: BaseException = group
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]
            raise first from None

    def answers(
        self, served: ServedModel, requests: Sequence[Request], say: Callable[[str], None]
    ) -> list[Completion]:
        """What a model answers to some requests, outside any stage.

        Args:
            served: which model.
            requests: asked for at the same time.
            say: takes a line for the run's log.

        Raises:
            UserError: the engine failed, or cannot use the adapter.
        """
        engine = self._engines.of(served, say)

        async def ask_all() -> list[Completion]:
            return await asyncio.gather(*map(engine.complete, requests))

        return self.wait_for(ask_all())

    def full_speed(self, served: ServedModel, requests: Sequence[Request]) -> float:
        """Tokens per second that a model's engine generates when it is full.

        Args:
            served: which model.
            requests: asked for in turn until the engine has as many as it can take.

        Raises:
            UserError: the engine failed.
        """
        waiting = range(self._engines.of(served, _unsaid).concurrency)
        full = [replace(requests[k % len(requests)], seed=k) for k in waiting]
        start = time.monotonic()
        tokens = sum(answer.tokens for answer in self.answers(served, full, _unsaid))
        return tokens / (time.monotonic() - start)


def _unsaid(line: str) -> None:
    """Takes what nobody needs to read."""
