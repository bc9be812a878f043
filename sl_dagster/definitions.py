"""The one Definitions object: every experiment file becomes a group of assets with its job.

Loading it reads the experiment files and imports neither torch nor transformers.
"""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from sl_dagster.assets import experiment_assets
from sl_dagster.assets.broken import broken_experiments
from sl_dagster.assets.checks import experiment_checks
from sl_dagster.assets.stage.asset import ADAPTER_IO, STAGE_IO
from sl_dagster.assets.stage.source_links import linked_to_remote
from sl_dagster.experiment import Experiment, load_experiments
from sl_dagster.jobs import asset_jobs
from sl_dagster.jobs.next_iteration_sensor import next_iteration_sensor
from sl_dagster.jobs.preview_job import preview_job
from sl_dagster.jobs.previous_adapters_sensor import previous_adapters_sensor
from sl_dagster.jobs.refresh_job import refresh_job
from sl_dagster.jobs.terminal_logger import terminal_logger
from sl_dagster.lineage.beside_dagster import serve_beside_code_server
from sl_dagster.paths import data_dir, experiments_dir
from sl_dagster.resources.session import RunSession
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.io_managers import AdapterIOManager, StageIOManager
from sl_dagster.resources.storage.lengths import LengthsDatabase
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.trainer import Trainer


@dg.definitions
def defs() -> dg.Definitions:
    """The experiments of the experiments folder."""
    serve_beside_code_server(data_dir())
    found = load_experiments(experiments_dir())
    return definitions_of(found.experiments, found.broken)


def definitions_of(
    experiments: list[Experiment], broken: Mapping[str, str] | None = None
) -> dg.Definitions:
    """The experiments' assets, checks, jobs and sensors, and what they work with.

    Args:
        experiments: those that can be run.
        broken: what is wrong with the files of others, by their names.
    """
    assets = [asset for experiment in experiments for asset in experiment_assets(experiment)]
    return dg.Definitions(
        assets=[*linked_to_remote(assets), *broken_experiments(broken or {})],
        asset_checks=[
            check for experiment in experiments for check in experiment_checks(experiment)
        ],
        jobs=[
            job
            for experiment in experiments
            for job in (*asset_jobs(experiment), preview_job(experiment), refresh_job(experiment))
        ],
        sensors=[
            sensor(experiment)
            for experiment in experiments
            for sensor in (previous_adapters_sensor, next_iteration_sensor)
        ],
        resources=resources_in(data_dir()),
        loggers={"terminal": terminal_logger},
        # The heavy parts live in processes of their own; one process per run keeps one engine.
        executor=dg.in_process_executor,
    )


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
