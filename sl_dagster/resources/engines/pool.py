"""The engines of a run: opened when first needed, closed when the run ends."""

from collections.abc import Callable

from sl_dagster.experiment import ServedModel
from sl_dagster.resources.engines import open_engine
from sl_dagster.resources.engines.protocol import Engine


class EnginePool:
    """One engine per model, shared by all stages of a run."""

    def __init__(self) -> None:
        self._open: dict[str, Engine] = {}

    def of(self, served: ServedModel, say: Callable[[str], None]) -> Engine:
        """Its engine, which from now on reports to this log."""
        if served.name not in self._open:
            self._open[served.name] = open_engine(served)
        engine = self._open[served.name]
        engine.say = say
        return engine

    def release(self) -> None:
        """Let every engine give its memory back, for a training to use."""
        for engine in self._open.values():
            engine.release()

    def close(self) -> None:
        """End the engines."""
        while self._open:
            self._open.popitem()[1].close()
