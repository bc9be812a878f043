"""How assets hand their results on: storing what they return, opening what they depend on."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from sl_dagster.disk_errors import disk_errors_explained
from sl_dagster.errors import UserError
from sl_dagster.experiment import BASE_MODEL
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.storage.adapter_store import AdapterStore, StoredAdapter
from sl_dagster.resources.storage.lengths import LengthsDatabase
from sl_dagster.resources.storage.lengths_file import REBUILD, LengthsUnavailableError
from sl_dagster.resources.storage.pending import KnownAdapter
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage

# The names under which assets ask for the two.
STAGE_IO = "stage_io"
ADAPTER_IO = "adapter_io"


class StageIOManager(dg.ConfigurableIOManager):
    """Makes a stage's draft current, stores its lengths; opens stored stages lazily."""

    stages: dg.ResourceDependency[StageStore]
    lengths: dg.ResourceDependency[LengthsDatabase]

    def handle_output(self, context: dg.OutputContext, obj: StoredStage) -> None:
        """Make the draft the stage's content, and the database agree with it."""
        with shown_to_the_user():
            with disk_errors_explained(f"{obj.key}: cannot be stored"):
                self.lengths.expect(obj.key)
                self.stages.make_current(obj)
                # Another run may have read the first note before the stage was there.
                self.lengths.expect(obj.key)
            _catch_up(self.lengths, context)

    def load_input(self, context: dg.InputContext) -> StoredStage:
        """Open the stage of the same iteration, or the one outside the iterations."""
        with shown_to_the_user():
            return self.stages.read(_key(context))


class AdapterIOManager(dg.ConfigurableIOManager):
    """Notes which adapter is current; hands adapters on after checking their files."""

    adapters: dg.ResourceDependency[AdapterStore]
    lengths: dg.ResourceDependency[LengthsDatabase]

    def handle_output(self, context: dg.OutputContext, obj: StoredAdapter) -> None:
        """Write the pointer to the adapter."""
        key = _key(context)
        with shown_to_the_user():
            adapter = obj.adapter
            known = KnownAdapter(
                key.experiment, adapter.iteration, adapter.role, adapter.fingerprint
            )
            with disk_errors_explained(f"{key}: cannot be stored"):
                self.lengths.expect(known)
                self.adapters.make_current(key, obj)
            _catch_up(self.lengths, context)

    def load_input(self, context: dg.InputContext) -> Adapter:
        """The adapter, verified."""
        with shown_to_the_user():
            return self.adapters.read(_key(context)).adapter.verified()


def stage_key(
    asset_key: dg.AssetKey, partition: str | None, partitions: dg.PartitionsDefinition | None = None
) -> StageKey:
    """The stage that an asset's partition, an iteration or a model, stands for."""
    experiment, stage = asset_key.path
    if partition is None:
        return StageKey(experiment, stage, None)
    if partitions and BASE_MODEL in partitions.get_partition_keys():
        return StageKey(experiment, stage, None, model=partition)
    return StageKey(experiment, stage, int(partition))


def _catch_up(lengths: LengthsDatabase, context: dg.OutputContext) -> None:
    """The result is stored; that its lengths are not in the database yet must not fail the run."""
    try:
        lengths.catch_up()
    except LengthsUnavailableError as error:
        context.log.warning(
            f"{error}. What has been made is stored; its rows are added as soon as something else "
            f"is stored, or by {REBUILD}. Until then statistics and lineage read the Parquet files."
        )


@contextmanager
def shown_to_the_user() -> Iterator[None]:
    """Turn a user's mistake into a Dagster failure that shows its message, without a retry."""
    try:
        yield
    except UserError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error


def _key(context: dg.InputContext | dg.OutputContext) -> StageKey:
    if not context.has_asset_partitions:
        return stage_key(context.asset_key, None, None)
    partition = context.asset_partition_key
    return stage_key(context.asset_key, partition, context.asset_partitions_def)
