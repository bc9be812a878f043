"""The engines of a run: opened when first needed, closed when the run ends."""

from collections.abc import Callable

from sl_dagster.experiment import Experiment
from sl_dagster.resources.engines import open_engine
from sl_dagster.resources.engines.protocol import Engine


class EnginePool:
    """One engine per experiment, shared by all stages of a run."""

    def __init__(self) -> None:
        self._open: dict[str, Engine] = {}

    def of(self, experiment: Experiment, say: Callable[[str], None]) -> Engine:
        """The experiment's engine, which from now on reports to this log."""
        if experiment.name not in self._open:
            self._open[experiment.name] = open_engine(experiment)
        engine = self._open[experiment.name]
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
