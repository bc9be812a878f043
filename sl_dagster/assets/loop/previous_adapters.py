"""``previous_generator``, ``previous_extender``: what an iteration starts from (paper, 3.4).

No model is asked, and no setting counts: iteration 1 starts from the bare base model, every other
one from the adapters of the one before. Here the loop closes. Dagster refuses a cycle between
assets, even one that goes from iteration to iteration, so these two look up what the iteration
before has made instead of depending on it.
"""

import dagster as dg

from sl_dagster.assets.stage.asset import Asset
from sl_dagster.assets.stage.description import adapter_metadata, headline, made_from_metadata
from sl_dagster.assets.stage.run import StageRun, base_model
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.resources.adapters import Adapter, Role
from sl_dagster.resources.storage.adapter_store import StoredAdapter
from sl_dagster.resources.storage.io_managers import ADAPTER_IO
from sl_dagster.resources.storage.stage_key import StageKey


class PreviousAdapter(Asset):
    """The weights with which a role begins the iteration."""

    kinds = ("huggingface",)
    io_manager = ADAPTER_IO
    reads = None

    def __init__(self, experiment: Experiment, role: Role) -> None:
        super().__init__(experiment)
        self.role = role
        self._role: Role = role
        self.name = f"previous_{role}"
        self.description = (
            f"The {role.capitalize()} that this iteration starts from: the `{role}_lora` of the "
            "iteration before, verified; in iteration 1 the bare base model."
        )
        # Not used. But a backfill of several iterations runs what depends on nothing before all
        # else, for all of its iterations at once; this belongs to the run of its own iteration.
        self.deps = (experiment.source_stage,)

    def make(self, run: StageRun) -> dg.MaterializeResult:
        run.claim()
        # An iteration begins here: what cannot be trained in the end need not be begun.
        run.trainer.check(run.experiment.training)
        if run.iteration == 1:
            adapter, origin = base_model(run.experiment, self._role), {}
        else:
            adapter, origin = _trained(run, self._role)
        return dg.MaterializeResult(
            value=StoredAdapter(adapter, training_fingerprint=adapter.fingerprint),
            data_version=dg.DataVersion(adapter.fingerprint),
            metadata={
                "headline": headline(run.key, "Starts from", *_named(adapter)),
                **adapter_metadata(adapter),
                **origin,
            },
        )


def _named(adapter: Adapter) -> tuple[str, ...]:
    if not adapter.path:
        return ("the base model",)
    return (f"{adapter.role}_lora of iteration {adapter.iteration}", adapter.fingerprint)


def _trained(run: StageRun, role: Role) -> tuple[Adapter, dict]:
    """The adapter of the iteration before, and links to where it came from."""
    assert run.context, "the history is Dagster's"
    before = StageKey(run.key.experiment, f"{role}_lora", run.iteration - 1)
    # What is stored counts, not what Dagster remembers: its history may be a new one.
    if not run.adapters.has(before):
        raise UserError(
            f"iteration {run.iteration} starts from {before}, which has not been made yet: "
            f"materialize iteration {before.iteration} first"
        )
    asset = dg.AssetKey([before.experiment, before.stage])
    events = run.context.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=asset, asset_partitions=[str(before.iteration)]), limit=1
    ).records
    adapter = run.adapters.read(before).adapter.verified()
    origin = {
        "made_by": dg.MetadataValue.asset(asset),
        **made_from_metadata(run.key.experiment, [adapter]),
    }
    for event in events:  # none, if Dagster's history is younger than the adapter
        origin["made_in_run"] = dg.MetadataValue.dagster_run(event.run_id)
        origin["made_at"] = dg.MetadataValue.timestamp(event.timestamp)
    return adapter, origin
