"""Jobs, sensors and how a run talks to the terminal: how the assets are launched."""

import dagster as dg

from sl_dagster.experiment import Experiment


def iteration_job_name(experiment: str) -> str:
    """The name of the job that runs one whole iteration of an experiment."""
    return f"{experiment}_iteration"


def dataset_job_name(experiment: str) -> str:
    """The name of the job that makes what comes after the last iteration of an experiment."""
    return f"{experiment}_dataset"


def iteration_job(experiment: Experiment):
    """The job that runs one whole iteration of an experiment."""
    return dg.define_asset_job(
        iteration_job_name(experiment.name),
        selection=dg.AssetSelection.groups(experiment.name) - _after_the_loop(experiment),
        description=f"One whole iteration of {experiment.name}, from its instructions on.",
    )


def dataset_job(experiment: Experiment):
    """The job that makes the final data set and the aligned model of what is stored."""
    return dg.define_asset_job(
        dataset_job_name(experiment.name),
        selection=_after_the_loop(experiment),
        description=(
            f"The final data set of all finished iterations of {experiment.name}, its length "
            "control, and the model aligned on it."
        ),
    )


def _after_the_loop(experiment: Experiment) -> dg.AssetSelection:
    names = ["dataset", "length_controlled", "aligned_sft", "aligned_model"]
    if experiment.dataset.collect:
        names += ["more_instructions", "more_responses"]
    return dg.AssetSelection.assets(*(dg.AssetKey([experiment.name, name]) for name in names))
