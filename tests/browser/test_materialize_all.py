"""A person presses *Materialize all* on each of an experiment's groups, as the docs tell one to."""

import re
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest
from playwright.sync_api import Page, expect

from sl_dagster.jobs.history import latest_materialization
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from tests.browser.conftest import WebUI, wait_for

pytestmark = pytest.mark.integration

_SECONDS_FOR_A_GROUP = 1800  # on a busy machine


def materialize_all(
    ui: WebUI,
    page: Page,
    instance: dg.DagsterInstance,
    group: str,
    asset: str,
    picture: Path,
    partitions: int = 0,
) -> None:
    """Press the button, choose all partitions, as many as there are to be offered, and wait.

    There must be a run for ``asset``, which is one of the group's: of what was asked for before,
    runs may still be launched.
    """
    page.goto(ui.group(group))
    button = page.get_by_role("button", name="Materialize all")
    expect(button).to_be_enabled()
    button.click()
    if partitions:
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_text("Partition selection")).to_be_visible()
        dialog.get_by_role("button", name="All", exact=True).click()
        expect(dialog.get_by_text(f"{partitions} partitions")).to_be_visible()
        page.screenshot(path=picture)
        page.get_by_role("button", name=re.compile("Launch")).last.click()
        expect(page.get_by_text("Launch runs to materialize")).to_be_hidden()
    expect(page.get_by_text("Are you sure?")).to_have_count(0)
    key = dg.AssetKey(["other", asset])
    wait_for(
        lambda: any(key in (run.asset_selection or ()) for run in instance.get_runs()),
        _SECONDS_FOR_A_GROUP,
    )
    # A graph that is open is drawn and asked for all the while that its runs need the processor.
    page.goto("about:blank")


def _experiments_of(run: dg.DagsterRun) -> set[str]:
    """Whose assets a run makes."""
    return {key.path[0] for key in run.asset_selection or ()}


def wait_until_made(
    instance: dg.DagsterInstance, asset: str, partitions: Collection[str] = ()
) -> None:
    """Wait until an asset has been materialized, in all partitions, and nothing runs any more."""
    key = dg.AssetKey(["other", asset])

    def made() -> bool:
        if partitions:
            done = set(partitions) <= instance.get_materialized_partitions(key)
        else:
            done = instance.get_latest_materialization_event(key) is not None
        # Of this experiment only: other tests cancel runs of theirs.
        mine = [run for run in instance.get_runs() if key.path[0] in _experiments_of(run)]
        statuses = {run.status for run in mine}
        assert not statuses & {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
        return done and statuses == {dg.DagsterRunStatus.SUCCESS}

    wait_for(made, _SECONDS_FOR_A_GROUP)


def iterations_ran_in_order(instance: dg.DagsterInstance) -> None:
    """One after another, each from what the one before has trained."""
    records = instance.get_run_records()
    mine = [record for record in records if _experiments_of(record.dagster_run) == {"other"}]
    runs = sorted(mine, key=lambda record: record.start_time or 0)
    for before, after in pairwise(runs):
        assert (before.end_time or 0) <= (after.start_time or 0)
    partitions = [run.dagster_run.tags.get("dagster/partition") for run in runs]
    assert [partition for partition in partitions if partition] == ["1", "2"]
    for role in ("generator", "extender"):
        assert version(instance, f"previous_{role}", 2) == version(instance, f"{role}_lora", 1)
        assert version(instance, f"{role}_lora", 2) != version(instance, f"{role}_lora", 1)


def version(instance: dg.DagsterInstance, asset: str, iteration: int) -> str:
    """The data version of an asset of an iteration."""
    event = latest_materialization(instance, "other", asset, iteration)
    assert event and event.asset_materialization and event.asset_materialization.tags
    return event.asset_materialization.tags["dagster/data_version"]


def test_loop_then_final_data_set_then_scores(
    ui: WebUI, page: Page, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    materialize_all(ui, page, instance, "other", "length_report", tmp_path / "loop.png", 2)
    wait_until_made(instance, "length_report", ("1", "2"))
    iterations_ran_in_order(instance)
    materialize_all(ui, page, instance, "other_final", "aligned_model", tmp_path / "final.png")
    wait_until_made(instance, "aligned_model")
    models = ("base", "1", "2", "aligned")
    picture = tmp_path / "scores.png"
    materialize_all(ui, page, instance, "other_scores", "longen_scores", picture, len(models))
    wait_until_made(instance, "longen_scores", models)
    wait_until_made(instance, "model_scores")  # a run of its own, after those of all models
    stored = StageStore(data_dir=str(ui.project.data)).complete("other")
    for model in models:
        assert StageKey("other", "longen_scores", None, model) in stored
    page.goto(f"{ui.url}/assets/other/model_scores")
    expect(page.get_by_text("measured", exact=True)).to_be_visible()
