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
    name = experiment.name
    jobs = [
        _job_for(experiment, "iteration", f"One whole iteration of {name}, from its instructions."),
        dg.define_asset_job(
            f"{name}_generate_only",
            selection=_of_all_roles(experiment, "{}_sft").upstream(),
            description="What the model writes in one iteration, up to the training sets; nothing "
            "is trained." + _LAUNCHPAD,
            tags=_run_tags(experiment),
        ),
        dg.define_asset_job(
            f"{name}_train_only",
            selection=_of_all_roles(experiment, "{}_lora"),
            description="The adapters of one iteration, from the training sets that are stored; "
            "nothing is generated." + _LAUNCHPAD,
            tags=_run_tags(experiment),
        ),
        _job_for(
            experiment,
            "dataset",
            f"The final data set of all finished iterations of {name}, its length control, and the "
            "model aligned on it.",
        ),
        _job_for(
            experiment,
            "evaluate",
            f"Benchmarks and judge's scores of one model of {name}, as far as its file names them; "
            "all models compared; and the report.",
            *(["text_decay"] if experiment.heldout and not experiment.benchmarks else []),
        ),
    ]
    return jobs


def _job_for(experiment: Experiment, job: Job, description: str, *further: str):
    """The job that makes the assets marked for it, and further ones by their names."""
    marked = dg.AssetSelection.groups(group_name(experiment.name, job))
    names = [dg.AssetKey([experiment.name, name]) for name in further]
    return dg.define_asset_job(
        job_name(experiment.name, job),
        selection=marked | dg.AssetSelection.assets(*names),
        description=description + _LAUNCHPAD,
        tags=_run_tags(experiment),
    )


def _run_tags(experiment: Experiment) -> dict[str, str]:
    return {"experiment": experiment.name, **tags_of(experiment)}


def _of_all_roles(experiment: Experiment, name: str) -> dg.AssetSelection:
    """The assets of the experiment's roles that are named like this."""
    return dg.AssetSelection.assets(
        *(dg.AssetKey([experiment.name, name.format(role)]) for role in experiment.roles)
    )
