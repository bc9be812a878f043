"""The one Definitions object: every experiment file becomes groups of assets with their jobs.

This is the one place that wires experiments, assets, jobs and resources together. Loading it reads
the experiment files and imports neither torch nor transformers.
"""

from collections.abc import Mapping, Sequence

import dagster as dg

from sl_dagster.assets import experiment_assets
from sl_dagster.assets.broken import broken_experiments
from sl_dagster.assets.checks import experiment_checks
from sl_dagster.assets.stage.source_links import linked_to_remote
from sl_dagster.experiment import Experiment, load_experiments
from sl_dagster.jobs.asset_jobs import asset_jobs
from sl_dagster.jobs.killed_runs_sensor import forsaken_runs_sensor, killed_runs_sensor
from sl_dagster.jobs.next_iteration_sensor import next_iteration_sensor
from sl_dagster.jobs.preview_asset import preview_asset, preview_job
from sl_dagster.jobs.previous_adapters_sensor import previous_adapters_sensor
from sl_dagster.jobs.refresh_job import refresh_job
from sl_dagster.jobs.staleness_notes import all_up_to_date, noted_as_stale, staleness_sensor
from sl_dagster.jobs.terminal_logger import terminal_logger
from sl_dagster.lineage.beside_dagster import serve_beside_code_server
from sl_dagster.paths import data_dir, experiments_dir
from sl_dagster.resources.named import resources_in


@dg.definitions
def defs() -> dg.Definitions:
    """The experiments of the experiments folder, at work in the data folder."""
    serve_beside_code_server(data_dir(), noted_as_stale)
    found = load_experiments(experiments_dir())
    return dg.Definitions.merge(
        build_definitions(found.experiments, resources_in(data_dir())),
        dg.Definitions(assets=broken_experiments(found.broken)),
    )


def build_definitions(
    experiments: Sequence[Experiment], resources: Mapping[str, object]
) -> dg.Definitions:
    """The experiments' assets, checks, jobs and sensors; nothing is read from the environment.

    Args:
        experiments: of different names.
        resources: what the assets work with, by name (see ``resources_in``).
    """
    assets = [
        asset
        for experiment in experiments
        for asset in (*experiment_assets(experiment), preview_asset(experiment))
    ]
    definitions = dg.Definitions(
        assets=linked_to_remote(assets),
        asset_checks=[
            check
            for experiment in experiments
            for check in (
                *experiment_checks(experiment),
                all_up_to_date(experiment, lambda: definitions),
            )
        ],
        jobs=[
            job
            for experiment in experiments
            for job in (
                *asset_jobs(experiment),
                preview_job(experiment),
                # What looks at all assets or launches jobs is told where they will be found.
                refresh_job(experiment, lambda: definitions),
            )
        ],
        sensors=[
            killed_runs_sensor,
            forsaken_runs_sensor,
            *(
                sensor
                for experiment in experiments
                for sensor in (
                    previous_adapters_sensor(experiment),
                    next_iteration_sensor(experiment),
                    staleness_sensor(experiment, lambda: definitions),
                )
            ),
        ],
        resources={name: _without_fields(resource) for name, resource in resources.items()},
        loggers={"terminal": terminal_logger},
        # The heavy parts live in processes of their own; one process per run keeps one engine.
        executor=dg.in_process_executor,
    )
    return definitions


def _without_fields(resource: object) -> object:
    """The resource as it is: where it stores is nothing to be changed in a launchpad."""
    if not isinstance(resource, dg.ConfigurableResource):
        return resource
    fixed = {name: getattr(resource, name) for name in type(resource).model_fields}
    return resource.get_resource_definition().configured(fixed)
