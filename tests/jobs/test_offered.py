"""What the web UI offers and asks, by the rules of its program, for what the docs tell to launch.

*Materialize all* offers partitions if one job has all assets of the page and those with partitions
have the same ones. It asks "Are you sure? ... may fail" if an asset depends on one that is neither
chosen with it nor has ever been materialized.
"""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from sl_dagster.assets.stage.asset import group_name
from sl_dagster.definitions import build_definitions
from sl_dagster.experiment import Experiment, load_experiment, load_experiments
from sl_dagster.jobs.asset_jobs import job_name
from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.resources.named import resources_in

JOBS = ("iteration", "dataset", "evaluate")  # in the order of the documentation
PROJECT = load_experiments(PROJECT_ROOT / "experiments").experiments
DEMO = PROJECT_ROOT / "sl_dagster" / "demo"


@pytest.fixture(params=["neither", "heldout", "benchmarks", "judge", "collecting"])
def experiment(request: pytest.FixtureRequest, write_experiment: Callable[..., Path]) -> Experiment:
    """Experiments with each kind of measure, and without any."""
    heldout = {"heldout": {"file": str(DEMO / "heldout.jsonl")}}
    benchmarks = {"benchmarks": {"longen": {"queries": str(DEMO / "longen.jsonl")}}}
    judge = {"judge": {"model": str(DEMO / "model")}}
    settings = {
        "neither": {},
        "heldout": heldout,
        "benchmarks": benchmarks,
        "judge": heldout | judge,
        "collecting": heldout | benchmarks | judge | {"dataset": {"collect": 5}},
    }[request.param]
    return load_experiment(write_experiment(**settings))


def check_groups_and_order(experiment: Experiment) -> None:
    definitions = build_definitions([experiment], resources_in(Path("data")))
    graph = definitions.resolve_asset_graph()
    nodes = {key: graph.get(key) for key in graph.get_all_asset_keys()}
    grouped: set[dg.AssetKey] = set()
    made: set[dg.AssetKey] = set()
    for job in JOBS:
        name = job_name(experiment.name, job)
        in_job = definitions.resolve_job_def(name).asset_layer.selected_asset_keys
        group = {
            key for key, node in nodes.items()
            if node.group_name == group_name(experiment.name, job)
        }  # fmt: skip
        assert group, job
        assert group <= in_job, f"one job has all of the group {job}"
        partitions = {
            tuple(node.partitions_def.get_partition_keys())
            for node in map(nodes.__getitem__, group)
            if node.partitions_def
        }
        assert len(partitions) <= 1, f"{job}: {partitions}"
        for launched in (group, in_job):
            needed = {parent for key in launched for parent in nodes[key].parent_keys}
            assert needed <= launched | made, f"{job}: it warns of {needed - launched - made}"
        grouped |= group
        made |= in_job
    preview = dg.AssetKey([experiment.name, "preview"])
    assert not nodes[preview].parent_keys, "it can be made at any time"
    assert grouped | {preview} == set(nodes), "no asset is left over"


def test_every_kind_of_experiment(experiment: Experiment) -> None:
    check_groups_and_order(experiment)


@pytest.mark.parametrize("experiment", PROJECT, ids=lambda experiment: experiment.name)
def test_the_projects_own(experiment: Experiment) -> None:
    check_groups_and_order(experiment)


def test_the_aligned_models_scores_come_after_it() -> None:
    demo = next(one for one in PROJECT if one.name == "demo")
    graph = build_definitions([demo], resources_in(Path("data"))).resolve_asset_graph()
    for name in ("longen_scores", "longbench_scores"):
        node = graph.get(dg.AssetKey(["demo", name]))
        assert dg.AssetKey(["demo", "aligned_model"]) in node.parent_keys
