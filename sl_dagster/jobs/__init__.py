"""Jobs, sensors and how a run talks to the terminal: how the assets are launched."""

from typing import get_args

import dagster as dg

from sl_dagster.adapters import Role
from sl_dagster.experiment import Experiment

_LAUNCHPAD = (
    " The launchpad shows every setting that can be changed for one launch, with the values of the "
    "experiment file."
)


def iteration_job_name(experiment: str) -> str:
    """The name of the job that runs one whole iteration of an experiment."""
    return f"{experiment}_iteration"


def dataset_job_name(experiment: str) -> str:
    """The name of the job that makes what comes after the last iteration of an experiment."""
    return f"{experiment}_dataset"


def asset_jobs(experiment: Experiment) -> list:
    """The jobs of one experiment, one for each purpose.

    Each runs assets of one iteration, the last one those that come after all iterations.
    """
    after_the_loop = _after_the_loop(experiment)
    training_sets = _selected(experiment, "{}_sft")
    adapters = _selected(experiment, "{}_lora")
    return [
        dg.define_asset_job(
            iteration_job_name(experiment.name),
            selection=dg.AssetSelection.groups(experiment.name) - after_the_loop,
            description=f"One whole iteration of {experiment.name}, from its instructions on."
            + _LAUNCHPAD,
        ),
        dg.define_asset_job(
            f"{experiment.name}_generate_only",
            selection=training_sets.upstream(),
            description="What the model writes in one iteration, up to both training sets; nothing "
            "is trained." + _LAUNCHPAD,
        ),
        dg.define_asset_job(
            f"{experiment.name}_train_only",
            selection=adapters,
            description="Both adapters of one iteration, from the training sets that are stored; "
            "nothing is generated." + _LAUNCHPAD,
        ),
        dg.define_asset_job(
            dataset_job_name(experiment.name),
            selection=after_the_loop,
            description=(
                f"The final data set of all finished iterations of {experiment.name}, its length "
                "control, and the model aligned on it." + _LAUNCHPAD
            ),
        ),
    ]


def _selected(experiment: Experiment, name: str) -> dg.AssetSelection:
    """The assets of both roles that are named like this."""
    return dg.AssetSelection.assets(
        *(dg.AssetKey([experiment.name, name.format(role)]) for role in get_args(Role))
    )


def _after_the_loop(experiment: Experiment) -> dg.AssetSelection:
    names = ["dataset", "length_controlled", "aligned_sft", "aligned_model"]
    if experiment.dataset.collect:
        names += ["more_instructions", "more_responses"]
    return dg.AssetSelection.assets(*(dg.AssetKey([experiment.name, name]) for name in names))
