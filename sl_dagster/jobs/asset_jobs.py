"""The jobs of an experiment, one for each purpose that its assets are marked for."""

import dagster as dg

from sl_dagster.assets.stage.asset import Job, group_name, tags_of
from sl_dagster.experiment import Experiment

_LAUNCHPAD = (
    " The launchpad shows every setting that can be changed for one launch, with the values of the "
    "experiment file."
)


def job_name(experiment: str, job: Job) -> str:
    """The name of the job that makes all assets of one purpose of an experiment."""
    return f"{experiment}_{job}"


def asset_jobs(experiment: Experiment) -> list:
    """The jobs of one experiment, one for each purpose.

    ``iteration``, ``generate_only`` and ``train_only`` run assets of one iteration, ``dataset``
    those that come after all iterations, and ``evaluate`` those of one model.
    """
    name, roles = experiment.name, experiment.roles
    decay = ["text_decay"] if experiment.heldout and not experiment.benchmarks else []
    jobs = {
        "iteration": (
            _marked_for(experiment, "iteration"),
            f"One whole iteration of {name}, from its instructions.",
        ),
        "generate_only": (
            _named(experiment, *(f"{role}_sft" for role in roles)).upstream(),
            "What the model writes in one iteration, up to the training sets; nothing is trained.",
        ),
        "train_only": (
            _named(experiment, *(f"{role}_lora" for role in roles)),
            "The adapters of one iteration, from the training sets that are stored; nothing is "
            "generated.",
        ),
        "dataset": (
            _marked_for(experiment, "dataset"),
            f"The final data set of all finished iterations of {name}, its length control, and the "
            "model aligned on it.",
        ),
        "evaluate": (
            _marked_for(experiment, "evaluate") | _named(experiment, *decay),
            f"Benchmarks and judge's scores of one model of {name}, as far as its file names them; "
            "all models compared; and the report.",
        ),
    }
    tags = {"experiment": name, **tags_of(experiment)}
    return [
        dg.define_asset_job(f"{name}_{job}", selection, description=said + _LAUNCHPAD, tags=tags)
        for job, (selection, said) in jobs.items()
    ]


def _marked_for(experiment: Experiment, job: Job) -> dg.AssetSelection:
    group = dg.AssetSelection.groups(group_name(experiment.name, job))
    # An experiment of the group's name has a group of this name, too.
    return group & dg.AssetSelection.key_prefixes(experiment.name)


def _named(experiment: Experiment, *names: str) -> dg.AssetSelection:
    return dg.AssetSelection.assets(*(dg.AssetKey([experiment.name, name]) for name in names))
