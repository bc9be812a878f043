"""One stage made anew with other settings: what is out of date then, and what is made again."""

import shutil

import dagster as dg
import pytest

# How the web UI finds out, which has no public interface in Python.
from dagster._core.definitions.data_version import StaleStatus
from dagster._utils.test.data_versions import get_stale_status_resolver

from sl_dagster.assets import experiment_assets
from sl_dagster.definitions import build_definitions
from sl_dagster.jobs.staleness import Staleness
from sl_dagster.resources.named import resources_in
from tests.assets.conftest import STAGES, Project, measured_twice

pytestmark = pytest.mark.integration

STAGE = "round2_stage1"
OVERRIDES = {"extension": {"sampling": {"temperature": 1.3}}}
AFTER = ["round2_stage2", "extended_responses", "generator_sft", "extender_sft", "generator_lora",
         "extender_lora", "heldout_responses", "length_report", "length_growth",
         "text_decay"]  # fmt: skip
SMALL = ("run", "--experiment", "small")
ONE_STAGE = (*SMALL, "--iterations", "1", "--only", STAGE)


def run(project: Project, *arguments: str) -> str:
    result = project.run(*arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def out_of_date(project: Project, instance: dg.DagsterInstance, iteration: int) -> list[str]:
    definitions = build_definitions([project.experiment], resources_in(project.data))
    found = Staleness(instance, definitions, "small").verdicts(str(iteration))
    return [one.name for one in found if one.why]


def contents(project: Project, iteration: int) -> dict[str, bytes]:
    return {name: project.stage(name, iteration).path.read_bytes() for name in STAGES}


def test_one_stage_with_other_settings(project: Project, monkeypatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", project.environment["DAGSTER_HOME"])
    first, second = contents(project, 1), contents(project, 2)
    original = [record.record_id for record in project.stage(STAGE, 1).records()]
    run(project, *ONE_STAGE, "--set", "extension.sampling.temperature=1.3")
    changed = project.stage(STAGE, 1)
    assert changed.manifest["overrides"] == OVERRIDES
    assert [record.record_id for record in changed.records()] != original

    with dg.DagsterInstance.get() as instance:
        [record] = instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey(["small", STAGE]), asset_partitions=["1"]), limit=1
        ).records
        assert record.asset_materialization
        assert record.asset_materialization.metadata["overrides"].value == OVERRIDES

        # The web UI marks what was made from it; we count what comes after that, too.
        resolver = get_stale_status_resolver(instance, experiment_assets(project.experiment))
        stale = {
            name
            for name in STAGES
            if resolver.get_status(dg.AssetKey(["small", name]), "1") == StaleStatus.STALE
        }
        assert stale == {"round2_stage2"}
        assert sorted(out_of_date(project, instance, 1)) == sorted(AFTER)
        assert out_of_date(project, instance, 2) == [], "its adapters are still the current ones"

    run(project, *SMALL, "--iterations", "2", "--stale")
    now = contents(project, 1)
    same = {name for name in first if first[name] == now[name]}
    assert same == {"instructions", "initial_responses", "round1_stage1", "round1_stage2"}
    assert project.stage(STAGE, 1).fingerprint == changed.fingerprint, "it stays as it was made"
    assert contents(project, 2)["initial_responses"] != second["initial_responses"]
    in_database, in_files = measured_twice(project)
    assert in_database == in_files
    with dg.DagsterInstance.get() as instance:
        assert [out_of_date(project, instance, iteration) for iteration in (1, 2)] == [[], []]
    assert run(project, *SMALL, "--iterations", "2", "--stale").count("nothing is out of date") == 2

    run(project, *ONE_STAGE)
    assert [record.record_id for record in project.stage(STAGE, 1).records()] == original
    assert "overrides" not in project.stage(STAGE, 1).manifest


def test_the_old_result_stays_until_the_new_one_is_complete(project: Project) -> None:
    before = project.stage(STAGE, 1).path.read_bytes()
    project.change(engine={"type": "openai", "base_urls": ["http://127.0.0.1:9/v1"]})
    result = project.run(*ONE_STAGE, "--set", "extension.tries=5")
    assert result.returncode == 1
    assert project.stage(STAGE, 1).path.read_bytes() == before


def test_a_history_that_is_gone_makes_nothing_anew(project: Project) -> None:
    before = contents(project, 1)
    shutil.rmtree(project.root / "home")
    (project.root / "home").mkdir()
    said = run(project, *SMALL, "--iterations", "1")
    assert said.count("up to date: ") >= len(STAGES)
    assert contents(project, 1) == before
