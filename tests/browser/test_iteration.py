"""A person runs an iteration in the web UI, looks at what it made, and changes one stage."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from sl_dagster.records import Record
from tests.browser.conftest import Ui

pytestmark = pytest.mark.integration

_MINUTES_FOR_A_RUN = 15


def test_an_iteration_by_hand(ui: Ui, page: Page, tmp_path: Path) -> None:
    page.goto(f"{ui.url}/asset-groups/")
    expect(page.get_by_text("round1_stage1").first).to_be_visible()
    materialize_iteration_1(page)
    wait_for_success(ui, page, runs=1)
    look_at_the_extended_responses(ui, page, tmp_path)
    look_at_the_checks(ui, page)
    old = extended(ui)
    rematerialize_with_more_growth(ui, page)
    assert {r.record_id for r in extended(ui)}.isdisjoint(r.record_id for r in old)
    downstream_is_out_of_date(ui, page)


def materialize_iteration_1(page: Page) -> None:
    """Launch what *Materialize* offers, for the first iteration."""
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_text("Select a partition or create one").click()
    page.get_by_placeholder("Filter partitions").fill("1")
    page.get_by_text("Select all (1)").click()
    page.get_by_text("Partition selection").click()
    page.get_by_role("button", name="Launch 1 run").click()
    expect(page.get_by_role("button", name="Launch 1 run")).to_be_hidden()


def wait_for_success(ui: Ui, page: Page, runs: int) -> None:
    """Watch the list of runs until the newest has ended."""
    page.goto(f"{ui.url}/runs")
    ended = page.get_by_text(re.compile("^(Success|Failure|Canceled)$"))
    expect(ended).to_have_count(runs, timeout=_MINUTES_FOR_A_RUN * 60_000)
    assert ended.all_inner_texts() == ["Success"] * runs


def look_at_the_extended_responses(ui: Ui, page: Page, tmp_path: Path) -> None:
    page.goto(ui.asset("extended_responses", "overview"))
    page.get_by_text("[Show Markdown]").first.click()
    picture = page.get_by_alt_text("histogram of lengths")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.complete && image.naturalWidth") > 500
    page.screenshot(path=tmp_path / "histogram.png")
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Plots").click()
    expect(page.locator("canvas").first).to_be_visible()
    page.screenshot(path=tmp_path / "plots.png")


def look_at_the_checks(ui: Ui, page: Page) -> None:
    page.goto(ui.asset("extended_responses", "checks"))
    expect(page.get_by_text("Checks (2)")).to_be_visible()
    expect(page.get_by_text("counts_agree").first).to_be_visible()
    expect(page.get_by_text("Succeeded").first).to_be_visible()


def rematerialize_with_more_growth(ui: Ui, page: Page) -> None:
    """One stage of the iteration anew, after a change in the experiment file."""
    extension = ui.project.experiment.extension.model_dump(exclude_unset=True)
    ui.project.change(extension=extension | {"growth": 1.5})
    page.goto(f"{ui.url}/locations")
    reload = page.get_by_role("button", name="Reload all")
    reload.click()
    expect(reload).to_be_disabled()
    expect(reload).to_be_enabled()
    page.goto(ui.asset("extended_responses", "overview"))
    materialize_iteration_1(page)
    wait_for_success(ui, page, runs=2)


def downstream_is_out_of_date(ui: Ui, page: Page) -> None:
    page.goto(ui.asset("generator_sft", "overview"))
    expect(page.get_by_text(re.compile("^Unsynced")).first).to_be_visible()


def extended(ui: Ui) -> list[Record]:
    return list(ui.project.stage("extended_responses", 1).records())
