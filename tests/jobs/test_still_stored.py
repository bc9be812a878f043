"""Data that is gone while Dagster's history is there."""

import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from sl_dagster.definitions import build_definitions
from sl_dagster.experiment import load_experiment
from sl_dagster.jobs.launch import Launch, run_iterations
from sl_dagster.jobs.still_stored import still_stored
from sl_dagster.resources.named import resources_in
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from tests.assets.stand_ins import StandIns, experiment_with_files

LONGEN = {"benchmarks": {"longen": {"queries": "longen.jsonl"}}}


@pytest.mark.parametrize(
    ("name", "partition", "folder"),
    [
        ("seeds", None, "seeds"),
        ("round1_stage1", "2", "round1_stage1/iteration=2"),
        ("generator_lora", "1", "generator_lora/iteration=1"),
        ("longen_scores", "base", "longen_scores/model=base"),
    ],
)
def test_what_is_there(
    write_experiment: Callable[..., Path], tmp_path: Path, name: str, partition: str, folder: str
) -> None:
    experiment = experiment_with_files(write_experiment, **LONGEN)
    StandIns(experiment, tmp_path)
    is_stored = still_stored(experiment, tmp_path)
    key = dg.AssetKey([experiment.name, name])
    assert is_stored(key, partition)
    shutil.rmtree(tmp_path / experiment.name / folder)
    assert not is_stored(key, partition)
    assert is_stored(dg.AssetKey([experiment.name, "length_growth"]), None), "it stores nothing"


def test_it_is_made_anew(
    write_experiment: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    monkeypatch.setenv("SL_DAGSTER_DATA", str(data))
    experiment = load_experiment(write_experiment(iterations=1))
    definitions = build_definitions([experiment], resources_in(data))
    said: list[str] = []
    with dg.DagsterInstance.ephemeral() as instance:
        seeds = Launch(experiment, only=("seeds",))
        run_iterations(seeds, definitions, instance)
        stale = Launch(experiment, stale=True)
        run_iterations(stale, definitions, instance, said.append)
        assert said == ["iteration 1: nothing is out of date"]
        shutil.rmtree(data / "small")
        run_iterations(stale, definitions, instance, said.append)
    assert said[1:] == ["makes seeds: what was made is not stored any more"]
    assert len(StageStore(data_dir=str(data)).read(StageKey("small", "seeds", None))) == 2
