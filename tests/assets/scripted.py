"""An experiment whose stages are stored by hand or made by a scripted engine, in this process."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from sl_dagster.assets import experiment_assets
from sl_dagster.experiment import load_experiment
from sl_dagster.jobs.launch import failure_of
from sl_dagster.resources.engines import Completion, Request
from sl_dagster.resources.named import resources_in
from sl_dagster.resources.records import Record, Text
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from tests.conftest import ScriptedEngine
from tests.stored_stages import made_up, store


class ScriptedProject:
    """The experiment ``small``, whose assets are made one by one."""

    def __init__(self, path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.experiment = load_experiment(path)
        self.data = data
        self.stages = StageStore(data_dir=str(data))
        self._patch = monkeypatch
        self._history = dg.DagsterInstance.ephemeral()

    def record(self, stage: str, iteration: int, position: int, **columns: Any) -> Text:
        """A text whose id says where it stands, such as ``seeds-0-1``."""
        return made_up(Text, StageKey("small", stage, iteration or None), position, **columns)

    def store(self, stage: str, iteration: int | None, records: Iterable[Record]) -> None:
        """Store records as a stage that has been made."""
        store(self.data, StageKey("small", stage, iteration), records)

    def make(
        self,
        *names: str,
        answer: Callable[[Request], str | Completion],
        iteration: int | str | None = None,
    ) -> dict[str, dict[str, Any]]:
        """Materialize assets, of an iteration (or a model) if they are partitioned.

        Returns:
            The metadata of each.
        """
        self.engine = ScriptedEngine(answer)
        self._patch.setattr("sl_dagster.resources.engines.pool.open_engine", lambda _: self.engine)
        result = dg.materialize(
            experiment_assets(self.experiment),
            selection=[dg.AssetKey(["small", name]) for name in names],
            resources=resources_in(self.data),
            instance=self._history,
            partition_key=None if iteration is None else str(iteration),
            raise_on_error=False,
        )
        if not result.success:
            raise AssertionError(failure_of(result))
        return {
            name: {
                key: value.value
                for key, value in result.asset_materializations_for_node(f"small__{name}")[
                    0
                ].metadata.items()
            }
            for name in names
        }

    def records(self, stage: str, iteration: int | None = None) -> list[Any]:
        """What a stage holds."""
        return list(self.stages.read(StageKey("small", stage, iteration)).records())

    def rejected(self, stage: str, iteration: int | None = None) -> list[Any]:
        """What a stage has dropped."""
        return list(self.stages.read(StageKey("small", stage, iteration)).rejected())
