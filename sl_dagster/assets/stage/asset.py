"""An asset of an experiment as one object, and its declaration to Dagster."""

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import dagster as dg
from dagster._core.types.dagster_type import Any as DagsterAny

from sl_dagster.assets.stage.config import StageConfig, check_launch, config_schema, stage_config
from sl_dagster.assets.stage.dagster_betas import accepted_betas
from sl_dagster.assets.stage.run import StageRun
from sl_dagster.assets.stage.source_links import code_reference
from sl_dagster.experiment import GROUP_ENDINGS, Experiment
from sl_dagster.progress import log_progress
from sl_dagster.resources.adapters import Role
from sl_dagster.resources.storage.io_managers import STAGE_IO, shown_to_the_user, stage_key

UP_TO_DATE = "up_to_date"  # the check of every asset that says what it was made from has changed
GPU_POOL = "gpu"  # dagster.yaml says how many runs may be in it

_LARGE = 100  # numbers from here on are shown with one digit behind the point, others with three

Job = Literal["iteration", "dataset", "evaluate"]
Per = Literal["iteration", "model", "experiment"]


class Asset(ABC):
    """What Dagster and a reader must know of an asset, and how it is made.

    Attributes:
        experiment: whose asset it is; in a run, with the settings of the launch.
        name: its key is ``<experiment>/<name>``.
        description: shown in the web UI.
        kinds: likewise, as labels.
        inputs: assets of the experiment whose records or weights it is handed.
        deps: assets of the experiment that it depends on without being handed anything.
        model_deps: likewise, those of the same model, or of which there is just one.
        per: whether there is one per iteration, per model (see ``models.py``), or just one.
        job: the job that makes it.
        reads: the settings that its result depends on, such as ``extension.tries``;
            ``extension.sampling`` stands for all settings of the sampling, ``prompts.extend`` for
            that prompt in all languages, ``training`` for what counts of a section. Those that can
            be changed for one launch are its form (see ``config.py``). None if it is made anew each
            time, and so has no form.
        form_only: settings of how it is made, which leave the result as it is, in its form too.
        code_version: to be raised when its results change.
        role: whose model, training set or adapter it is, if it belongs to one role.
        on_gpu: whether it asks the engine or trains; few runs at a time may.
        io_manager: who stores what it returns.
    """

    name: str
    description: str
    kinds: ClassVar[tuple[str, ...]]
    inputs: tuple[str, ...] = ()
    deps: tuple[str, ...] = ()
    model_deps: tuple[str, ...] = ()
    per: ClassVar[Per] = "iteration"
    job: Job = "iteration"
    reads: tuple[str, ...] | None = ()
    form_only: tuple[str, ...] = ()
    code_version: ClassVar[str] = "1"
    role: Role | None = None
    on_gpu: ClassVar[bool] = False
    io_manager: ClassVar[str] = STAGE_IO

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment

    @abstractmethod
    def make(self, run: StageRun) -> dg.MaterializeResult:
        """Make it, and say what its page shows.

        Raises:
            UserError: what it needs is missing or damaged, or a setting is wrong.
        """


def declared(asset: Asset) -> dg.AssetsDefinition:
    """The asset as Dagster knows it."""
    experiment = asset.experiment

    form = stage_config(experiment, (*(asset.reads or ()), *asset.form_only))

    def made(context: dg.AssetExecutionContext, **inputs: Any) -> dg.MaterializeResult:
        with shown_to_the_user():
            check_launch(experiment, context.run.run_config)
            config = form(**(context.op_execution_context.op_config or {}))
            result = asset.make(_run(asset, context, config, inputs))
            return result._replace(
                metadata=rounded(result.metadata or {}),
                # Just made; what it was made from may change, and then this is evaluated again.
                check_results=[dg.AssetCheckResult(check_name=UP_TO_DATE, passed=True)],
            )

    made.__signature__ = inspect.signature(made)  # Dagster asks for it a dozen times
    return dg.asset(
        name=asset.name,
        key_prefix=experiment.name,
        group_name=group_name(experiment.name, asset.job),
        description=_documented(asset),
        kinds=set(asset.kinds),
        ins={name: dg.AssetIn(key=[experiment.name, name]) for name in asset.inputs},
        deps=[
            *(_dependency(asset, name) for name in asset.deps),
            *(dg.AssetKey([experiment.name, name]) for name in asset.model_deps),
        ],
        partitions_def=_partitions(asset),
        check_specs=[_up_to_date(asset)],
        required_resource_keys={"session", "stages", "adapters", "lengths", "trainer"},
        io_manager_key=asset.io_manager,
        # Beside a check, Dagster takes the annotation for one of no value.
        dagster_type=DagsterAny,
        code_version=asset.code_version,
        tags={"role": asset.role} if asset.role else {},
        metadata=code_reference(type(asset)),
        pool=GPU_POOL if asset.on_gpu else None,
        # Not as an annotation, of which Dagster would make a schema for each asset again.
        config_schema=None if asset.reads is None else config_schema(form),
    )(made)


def _up_to_date(asset: Asset) -> dg.AssetCheckSpec:
    with accepted_betas():  # checks per partition
        return dg.AssetCheckSpec(
            UP_TO_DATE,
            asset=dg.AssetKey([asset.experiment.name, asset.name]),
            description="What it was made from, and its code, are as they were then; the sensor "
            f"`{asset.experiment.name}_staleness` evaluates it again.",
            partitions_def=_partitions(asset),
        )


def rounded(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata with no more digits than one can read."""
    return {name: _rounded(value) for name, value in metadata.items()}


def _rounded(value: Any) -> Any:
    number = value.value if isinstance(value, dg.FloatMetadataValue) else value
    if not isinstance(number, float):
        return value
    return dg.MetadataValue.float(round(float(number), 1 if abs(number) >= _LARGE else 3))


def of_experiment(
    experiment: Experiment, assets: list[dg.AssetsDefinition]
) -> list[dg.AssetsDefinition]:
    """The assets with what all of an experiment have in common: owners and tags."""
    return list(
        dg.map_asset_specs(
            lambda spec: spec.replace_attributes(
                owners=experiment.owners, tags={**spec.tags, **tags_of(experiment)}
            ),
            assets,
        )
    )


def group_name(experiment: str, job: Job) -> str:
    """The group of the assets that a job of an experiment makes; that of the loop has its name.

    A job and its group hold the same assets: only of such a group does the web UI offer partitions.
    """
    return experiment + GROUP_ENDINGS.get(job, "")


def tags_of(experiment: Experiment) -> dict[str, str]:
    """Tags of every asset and run of an experiment, to search for in the web UI."""
    model = re.sub(r"[^A-Za-z0-9_.-]", "-", Path(experiment.base_model).name)[:63]
    return {"base_model": model, "engine": experiment.engine.type}


def partitions_of(experiment: Experiment) -> dg.StaticPartitionsDefinition:
    """The experiment's iterations as partitions, "1" first."""
    return dg.StaticPartitionsDefinition(experiment.partitions)


def models_of(experiment: Experiment) -> dg.StaticPartitionsDefinition:
    """The experiment's models as partitions, "base" first."""
    return dg.StaticPartitionsDefinition(experiment.models)


def _partitions(asset: Asset) -> dg.PartitionsDefinition | None:
    if asset.per == "experiment":
        return None
    return models_of(asset.experiment) if asset.per == "model" else partitions_of(asset.experiment)


def _dependency(asset: Asset, name: str) -> dg.AssetDep:
    """On the asset of the same iteration; of a model, on that of the iteration that made it."""
    iterations = {iteration: iteration for iteration in asset.experiment.partitions}
    return dg.AssetDep(
        dg.AssetKey([asset.experiment.name, name]),
        partition_mapping=dg.StaticPartitionMapping(iterations) if asset.per == "model" else None,
    )


def _documented(asset: Asset) -> str:
    """What the web UI says of an asset: what it is, and which settings count."""
    if not asset.reads:
        return asset.description
    return f"{asset.description}\n\nSettings: {', '.join(f'`{name}`' for name in asset.reads)}."


def _run(
    asset: Asset, context: dg.AssetExecutionContext, config: StageConfig, inputs: dict[str, Any]
) -> StageRun:
    # A run of an iteration has a partition key, even while it makes an asset without partitions.
    partition = None if asset.per == "experiment" else context.partition_key
    found = context.resources
    return StageRun(
        key=stage_key(context.asset_key, partition, context.assets_def.partitions_def),
        experiment=config.over(asset.experiment),
        inputs=inputs,
        session=found.session,
        stages=found.stages,
        adapters=found.adapters,
        lengths=found.lengths,
        trainer=found.trainer,
        context=context,
        run_id=context.run.run_id,
        say=context.log.info,
        warn=context.log.warning,
        report=partial(log_progress, context.log),
        force=config.force,
        overrides=config.overrides(),
    )
