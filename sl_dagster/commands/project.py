"""The project that a command works on: its experiments, and what is stored of them."""

import dagster as dg
from filelock import FileLock

from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment, load_experiment
from sl_dagster.paths import data_dir, ensure_dagster_home, experiments_dir
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_store import StageStore

_LONGEST = 500  # characters of what a library says


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


def history() -> dg.DagsterInstance:
    """Dagster's history of all runs, to be closed after use.

    Raises:
        UserError: it cannot be opened.
    """
    home = ensure_dagster_home()
    try:
        # Two processes that begin a history at the same time would both make its tables.
        with FileLock(home / ".opening.lock"):
            return dg.DagsterInstance.get()
    except Exception as error:  # of any library: its settings name what keeps the history
        why = " ".join(str(error).split())
        raise UserError(
            f"the history of runs in {home} cannot be opened ({why[:_LONGEST]}): check "
            "dagster.yaml there, and the database if it names one"
        ) from error
