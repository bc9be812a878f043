"""Stages in a run of their own, without Dagster."""

from pathlib import Path
from typing import Any

from sl_dagster.assets.stage.run import StageRun
from sl_dagster.experiment import Experiment
from sl_dagster.resources.named import resources_in
from sl_dagster.resources.storage.stage_key import StageKey


def stage_run(experiment: Experiment, data: Path, key: StageKey, **fields: Any) -> StageRun:
    """A run that makes a stage in a data folder; it is handed nothing unless ``inputs`` say."""
    found: dict[str, Any] = resources_in(data)
    names = ("session", "stages", "adapters", "lengths", "trainer")
    resources = {name: found[name] for name in names}
    defaults: dict[str, Any] = {"inputs": {}, "run_id": "run-1"}
    defaults |= dict.fromkeys(("say", "warn", "report"), print)
    return StageRun(key=key, experiment=experiment, **resources, **defaults | fields)
