"""Checks that are evaluated alone, and results for them to look at."""

from pathlib import Path

import dagster as dg

from sl_dagster.assets.checks import experiment_checks
from sl_dagster.experiment import Experiment
from sl_dagster.resources.adapters import Adapter, Role
from sl_dagster.resources.named import resources_in
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.adapter_store import AdapterStore, StoredAdapter
from sl_dagster.resources.storage.lengths import LengthsDatabase
from sl_dagster.resources.storage.stage_key import StageKey
from tests.stored_stages import add_to, made_up, store

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


def executed(
    experiment: Experiment, data: Path, name: str, asset: str, iteration: int = 1
) -> dg.ExecuteInProcessResult:
    """Run one check of one asset alone, as the web UI does on request."""
    check = dg.AssetCheckKey(dg.AssetKey([experiment.name, asset]), name)
    definitions = dg.Definitions(
        assets=[dg.AssetSpec(check.asset_key)],
        asset_checks=[one for one in experiment_checks(experiment) if check in one.check_keys],
        jobs=[dg.define_asset_job("alone", dg.AssetSelection.checks(check))],
        resources=resources_in(data),
        executor=dg.in_process_executor,
    )
    return definitions.resolve_job_def("alone").execute_in_process(
        tags={"dagster/partition": str(iteration)}, raise_on_error=False
    )


def evaluated(
    experiment: Experiment, data: Path, name: str, asset: str, iteration: int = 1
) -> dg.AssetCheckEvaluation:
    """What one check of one asset says."""
    [evaluation] = executed(experiment, data, name, asset, iteration).get_asset_check_evaluations()
    return evaluation


def store_stage(data: Path, stage: str, words: list[int], iteration: int = 1, **more) -> None:
    """Store a stage of records of so many words, in the files and in the database."""
    key, dropped = StageKey("small", stage, iteration), more.pop("dropped", {})
    records = [
        made_up(Text, key, position, text="word " * count, **{"finish_reason": "stop", **more})
        for position, count in enumerate(words)
    ]
    count = len(words) + sum(dropped.values())
    stored = store(data, key, records, records_in=count, dropped=dropped)
    add_to(LengthsDatabase(data_dir=str(data)), stored)


def store_adapter(data: Path, stage: str, iteration: int, fingerprint: str, role: Role) -> None:
    adapter = Adapter(role, fingerprint, None, iteration)
    AdapterStore(data_dir=str(data)).make_current(
        StageKey("small", stage, iteration), StoredAdapter(adapter, training_fingerprint="m")
    )
