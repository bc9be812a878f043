"""Whether what Dagster's history tells of is still there: a data folder can be lost in part."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg

from sl_dagster.assets import assets_of
from sl_dagster.assets.loop.previous_adapters import PreviousAdapter
from sl_dagster.assets.loop.trained_weights import TrainedWeights
from sl_dagster.assets.stage.asset import models_of
from sl_dagster.assets.stage.stage import Stage
from sl_dagster.experiment import Experiment
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.io_managers import stage_key
from sl_dagster.resources.storage.stage_store import StageStore

IsStored = Callable[[dg.AssetKey, str | None], bool]


def still_stored(experiment: Experiment, data: Path) -> IsStored:
    """Says of an asset and its partition, if it has any, whether its records or weights are there.

    Args:
        experiment: whose assets. What stores nothing counts as there.
        data: the data folder.
    """
    assets = {asset.name: asset for asset in assets_of(experiment)}
    stages, adapters = StageStore(data_dir=str(data)), AdapterStore(data_dir=str(data))

    def is_stored(key: dg.AssetKey, partition: str | None) -> bool:
        asset = assets.get(key.path[-1])
        if asset is None:  # such as the preview
            return True
        models = models_of(experiment) if asset.per == "model" else None
        place = stage_key(key, partition, models)
        if isinstance(asset, Stage):
            return stages.has(place)
        if isinstance(asset, TrainedWeights | PreviousAdapter):
            return adapters.has(place)
        return True

    return is_stored
