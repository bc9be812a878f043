"""The project that a command works on: its experiments, and what is stored of them."""

from sl_dagster.experiment import Experiment, load_experiment
from sl_dagster.paths import data_dir, experiments_dir
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_store import StageStore


def experiment_named(name: str) -> Experiment:
    """The experiment of a file in the experiments folder, by the file's name without its ending.

    Raises:
        UserError: there is none, or it is not right.
    """
    return load_experiment(experiments_dir() / f"{name}.yaml")


def stored_stages() -> StageStore:
    """The stages in the data folder."""
    return StageStore(data_dir=str(data_dir()))


def stored_adapters() -> AdapterStore:
    """The adapters in the data folder."""
    return AdapterStore(data_dir=str(data_dir()))
