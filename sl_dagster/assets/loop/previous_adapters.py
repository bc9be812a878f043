"""``previous_generator`` and ``previous_extender``: the adapters that an iteration starts from.

Here the loop closes. Dagster refuses a cycle between assets, even one that goes from iteration to
iteration, so these two look up what the iteration before has made instead of depending on it.
"""

import dagster as dg

from sl_dagster.assets.stage.asset import ADAPTER_IO, key_of, stage_asset
from sl_dagster.assets.stage.description import adapter_metadata, made_from_metadata
from sl_dagster.assets.stage.run import base_model
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.resources.adapters import Adapter, Role
from sl_dagster.resources.stage_runner import StageRunner
from sl_dagster.resources.storage.adapter_store import AdapterStore, StoredAdapter
from sl_dagster.resources.storage.stage_store import StageKey
from sl_dagster.resources.trainer import Trainer


def previous_adapter_assets(experiment: Experiment) -> list[dg.AssetsDefinition]:
    """One asset per role."""
    return [_previous_adapter(experiment, role) for role in experiment.roles]


def _previous_adapter(experiment: Experiment, role: Role) -> dg.AssetsDefinition:
    @stage_asset(
        experiment,
        f"previous_{role}",
        description=(
            f"The {role.capitalize()} that this iteration starts from: the `{role}_lora` of the "
            "iteration before, verified; in iteration 1 the bare base model."
        ),
        kinds={"huggingface"},
        # Not used. But a backfill of several iterations runs what depends on nothing before all
        # else, for all of its iterations at once; this belongs to the run of its own iteration.
        deps=(experiment.source_stage,),
        io_manager=ADAPTER_IO,
        role=role,
    )
    def previous_adapter(
        context: dg.AssetExecutionContext,
        adapters: AdapterStore,
        trainer: Trainer,
        runner: StageRunner,
    ) -> dg.MaterializeResult:
        key = key_of(context)
        assert key.iteration is not None
        runner.claim(key, context.run.run_id)
        # An iteration begins here: what cannot be trained in the end need not be begun.
        trainer.check(experiment.training)
        if key.iteration == 1:
            adapter, origin = base_model(experiment, role), {}
        else:
            adapter, origin = _trained(context, adapters, role, key)
        return dg.MaterializeResult(
            value=StoredAdapter(adapter, made_from=adapter.fingerprint),
            data_version=dg.DataVersion(adapter.fingerprint),
            metadata=adapter_metadata(adapter) | origin,
        )

    return previous_adapter


def _trained(
    context: dg.AssetExecutionContext, adapters: AdapterStore, role: Role, key: StageKey
) -> tuple[Adapter, dict]:
    """The adapter of the iteration before, and links to where it came from."""
    assert key.iteration is not None
    before = StageKey(key.experiment, f"{role}_lora", key.iteration - 1)
    # What is stored counts, not what Dagster remembers: its history may be a new one.
    if not adapters.has(before):
        raise UserError(
            f"iteration {key.iteration} starts from {before}, which has not been made yet: "
            f"materialize iteration {before.iteration} first"
        )
    asset = dg.AssetKey([before.experiment, before.stage])
    events = context.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=asset, asset_partitions=[str(before.iteration)]), limit=1
    ).records
    adapter = adapters.read(before).adapter.verified()
    origin = {
        "made_by": dg.MetadataValue.asset(asset),
        **made_from_metadata(key.experiment, [adapter]),
    }
    for event in events:  # none, if Dagster's history is younger than the adapter
        origin["made_in_run"] = dg.MetadataValue.dagster_run(event.run_id)
        origin["made_at"] = dg.MetadataValue.timestamp(event.timestamp)
    return adapter, origin
