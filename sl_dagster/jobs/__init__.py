"""Jobs, sensors and how a run talks to the terminal: how the assets are launched."""

import dagster as dg

from sl_dagster.assets.stage_asset import tags_of
from sl_dagster.experiment import Experiment


def iteration_job_name(experiment: str) -> str:
    """The name of the job that runs one whole iteration of an experiment."""
    return f"{experiment}_iteration"


def iteration_job(experiment: Experiment):
    """The job that runs one whole iteration of an experiment."""
    return dg.define_asset_job(
        iteration_job_name(experiment.name),
        selection=dg.AssetSelection.groups(experiment.name),
        description=f"One whole iteration of {experiment.name}, from its instructions on.",
        tags={"experiment": experiment.name, **tags_of(experiment)},
    )
