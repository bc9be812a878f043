"""The resources by the names under which assets ask for them."""

from pathlib import Path

from sl_dagster.resources.session import RunSession
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.io_managers import (
    ADAPTER_IO,
    STAGE_IO,
    AdapterIOManager,
    StageIOManager,
)
from sl_dagster.resources.storage.lengths import LengthsDatabase
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.trainer import Trainer


def resources_in(folder: Path) -> dict[str, object]:
    """What the assets work with, all of it storing under this folder."""
    data = str(folder)
    stages, adapters = StageStore(data_dir=data), AdapterStore(data_dir=data)
    lengths = LengthsDatabase(data_dir=data)
    return {
        "stages": stages,
        "adapters": adapters,
        "lengths": lengths,
        "session": RunSession(data_dir=data),
        "trainer": Trainer(),
        STAGE_IO: StageIOManager(stages=stages, lengths=lengths),
        ADAPTER_IO: AdapterIOManager(adapters=adapters, lengths=lengths),
    }
