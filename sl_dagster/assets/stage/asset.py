"""Declaring an asset of an experiment: what all of them have in common."""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import dagster as dg

from sl_dagster.assets.stage.config import stage_config
from sl_dagster.assets.stage.source_links import code_reference
from sl_dagster.experiment import Experiment
from sl_dagster.resources.adapters import Role
from sl_dagster.resources.storage.io_managers import shown_to_the_user, stage_key
from sl_dagster.resources.storage.stage_store import StageKey

STAGE_IO = "stage_io"
ADAPTER_IO = "adapter_io"
GPU_POOL = "gpu"  # dagster.yaml says how many runs may be in it
JOB_TAG = "sl_dagster/job"

Job = Literal["iteration", "dataset", "evaluate"]


def stage_asset(
    experiment: Experiment,
    name: str,
    *,
    description: str,
    kinds: set[str],
    inputs: tuple[str, ...] | dict[str, str] = (),
    deps: tuple[str, ...] = (),
    model_deps: tuple[str, ...] = (),
    partitioned: bool = True,
    per_model: bool = False,
    job: Job = "iteration",
    io_manager: str = STAGE_IO,
    code_version: str = "1",
    settings: tuple[str, ...] = (),
    role: Role | None = None,
    on_gpu: bool = False,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Decorate a function as an asset of an experiment.

    Args:
        experiment: gives the key's prefix, the group and the iterations.
        name: the asset's name; its key is ``<experiment>/<name>``.
        inputs: assets of the experiment that the function takes, by its parameters' names if
            these differ.
        deps: assets of the experiment that it depends on without taking them.
        model_deps: likewise, those of the same model.
        partitioned: whether there is one per iteration.
        per_model: whether there is one per model instead (see ``models.py``).
        job: the job that makes it.
        io_manager: who stores what the function returns.
        code_version: to be raised when the function's results change.
        settings: what can be changed for one launch; the function's parameter ``config`` gets it
            (see ``stage_config``).
        role: whose model, training set or adapter it is, if it belongs to one role.
        on_gpu: whether it asks the engine or trains; few runs at a time may.
    """
    partitions = partitions_of(experiment) if partitioned else None
    if per_model:
        partitions = models_of(experiment)
    named = inputs if isinstance(inputs, dict) else {asset: asset for asset in inputs}

    def declare(function: Callable[..., Any]) -> dg.AssetsDefinition:
        if "config" in function.__annotations__:
            function.__annotations__["config"] = stage_config(experiment, settings)

        @functools.wraps(function)
        def explained(*args: Any, **kwargs: Any) -> Any:
            with shown_to_the_user():
                return function(*args, **kwargs)

        return dg.asset(
            name=name,
            key_prefix=experiment.name,
            group_name=experiment.name,
            description=description,
            kinds=kinds,
            ins={
                parameter: dg.AssetIn(key=[experiment.name, asset])
                for parameter, asset in named.items()
            },
            deps=[
                *(_dependency(experiment, asset, per_model) for asset in deps),
                *(dg.AssetKey([experiment.name, asset]) for asset in model_deps),
            ],
            partitions_def=partitions,
            io_manager_key=io_manager,
            code_version=code_version,
            owners=experiment.owners,
            tags={JOB_TAG: job} | tags_of(experiment) | ({"role": role} if role else {}),
            metadata=code_reference(function),
            pool=GPU_POOL if on_gpu else None,
        )(explained)

    return declare


def tags_of(experiment: Experiment) -> dict[str, str]:
    """Tags of every asset and run of an experiment, to search for in the web UI."""
    model = re.sub(r"[^A-Za-z0-9_.-]", "-", Path(experiment.base_model).name)[:63]
    return {"base_model": model, "engine": experiment.engine.type}


def _dependency(experiment: Experiment, asset: str, per_model: bool) -> dg.AssetDep:
    """On the asset of the same iteration; of a model, on that of the iteration that made it."""
    iterations = {iteration: iteration for iteration in experiment.partitions}
    return dg.AssetDep(
        dg.AssetKey([experiment.name, asset]),
        partition_mapping=dg.StaticPartitionMapping(iterations) if per_model else None,
    )


def partitions_of(experiment: Experiment) -> dg.StaticPartitionsDefinition:
    """The experiment's iterations as partitions, "1" first."""
    return dg.StaticPartitionsDefinition(experiment.partitions)


def models_of(experiment: Experiment) -> dg.StaticPartitionsDefinition:
    """The experiment's models as partitions, "base" first."""
    return dg.StaticPartitionsDefinition(experiment.models)


def key_of(context: dg.AssetExecutionContext) -> StageKey:
    """The stage and iteration that is being materialized."""
    # A run of an iteration has a partition key, even while it makes an asset without partitions.
    partitioned = context.assets_def.partitions_def is not None
    partition = context.partition_key if partitioned else None
    return stage_key(context.asset_key, partition, context.assets_def.partitions_def)
