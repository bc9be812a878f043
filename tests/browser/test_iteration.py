"""A person runs an iteration in the web UI, looks at what it made, and changes one stage."""

import re
from pathlib import Path

import dagster as dg
import pytest
from playwright.sync_api import Page, expect

from sl_dagster.resources.storage.stored_stage import StoredStage
from tests.browser.conftest import WebUI, wait_for

pytestmark = pytest.mark.integration

_SECONDS_FOR_A_RUN = 15 * 60
BEFORE = ("seeds", "instructions", "initial_responses", "round1_stage1")
AFTER = ("extended_responses", "generator_sft", "extender_sft", "generator_lora", "extender_lora",
         "length_report")  # fmt: skip


def test_an_iteration_by_hand(
    ui: WebUI, page: Page, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    launch_iteration_1(ui, page, tmp_path, instance)
    look_at_the_extended_responses(ui, page, tmp_path)
    follow_a_record_to_its_seeds(ui, page, tmp_path)
    before = stage_of(ui, "round1_stage2")
    rematerialize_at_another_temperature(ui, page, tmp_path, instance)
    after = stage_of(ui, "round1_stage2")
    assert after.manifest["overrides"] == {"extension": {"sampling": {"temperature": 1.3}}}
    assert after.content_hash != before.content_hash
    what_comes_after_is_out_of_date(ui, page, tmp_path)
    times = materialization_times(instance, *BEFORE, "round1_stage2", *AFTER)
    make_anew_what_is_out_of_date(ui, page, instance)
    again = materialization_times(instance, *times)
    made_anew = {name for name in times if again[name] != times[name]}
    assert made_anew == set(AFTER)
    assert stage_of(ui, "round1_stage2").content_hash == after.content_hash
    page.goto(ui.asset("extended_responses", "partitions"))
    expect(page.get_by_text("mean_words", exact=True)).to_be_visible()
    expect(page.get_by_text("Unsynced")).to_have_count(0)


def launch_iteration_1(ui: WebUI, page: Page, tmp_path: Path, instance: dg.DagsterInstance) -> None:
    """Open the experiment's graph, then the job of an iteration, and materialize all of it."""
    page.goto(ui.group())
    expect(page.get_by_text("round1_stage1").first).to_be_visible()
    page.screenshot(path=tmp_path / "graph.png")
    page.goto(ui.job("iteration"))
    expect(page.get_by_text("round1_stage1").first).to_be_visible()
    page.get_by_role("button", name="Materialize all").click()
    page.get_by_text("Select a partition or create one").click()
    page.get_by_placeholder("Filter partitions").fill("1")
    page.get_by_text("Select all (1)").click()
    page.get_by_text("Partition selection").click()  # closes the list
    page.get_by_role("button", name="Launch 1 run").click()
    # The button changes its words at once; only the dialog's end says that the run is launched.
    expect(page.get_by_text("Launch runs to materialize")).to_be_hidden()
    page.goto(ui.job("iteration", "runs"))
    page.get_by_role("link", name="View", exact=True).click()
    wait_for_success(page, instance)
    page.screenshot(path=tmp_path / "run.png")


def wait_for_success(page: Page, instance: dg.DagsterInstance) -> None:
    """Wait until the run whose page is open has ended, and see that the page says how."""
    expect(
        page.get_by_text(re.compile("^(Queued|Starting|Started|Success)$")).first
    ).to_be_visible()
    address = page.url
    run_id = address.rpartition("/runs/")[2].partition("?")[0]
    # A page that is open is drawn and asked for all the while that the run needs the processor.
    page.goto("about:blank")

    def ended() -> bool:
        run = instance.get_run_by_id(run_id)
        assert run
        return run.is_finished

    wait_for(ended, _SECONDS_FOR_A_RUN)
    page.goto(address)
    expect(page.get_by_text(re.compile("^(Success|Failure|Canceled)$")).first).to_have_text(
        "Success"
    )


def look_at_the_extended_responses(ui: WebUI, page: Page, tmp_path: Path) -> None:
    page.goto(ui.asset("extended_responses"))
    histogram = page.get_by_alt_text("lengths", exact=True)
    expect(histogram).to_be_visible()
    assert histogram.evaluate("image => image.complete && image.naturalWidth") == 280
    histogram.scroll_into_view_if_needed()
    page.screenshot(path=tmp_path / "histogram.png")
    page.get_by_role("button", name="Plots").click()
    expect(page.get_by_text("mean_words", exact=True)).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()
    page.screenshot(path=tmp_path / "plots.png")
    page.goto(ui.asset("extended_responses", "checks"))
    expect(page.get_by_text("counts_agree").first).to_be_visible()
    expect(page.get_by_text("Succeeded").first).to_be_visible()


def follow_a_record_to_its_seeds(ui: WebUI, page: Page, tmp_path: Path) -> None:
    """From the asset's page to the list of its records, a record, and one of its seeds."""
    page.goto(ui.asset("extended_responses"))
    with page.expect_popup() as opened:
        page.get_by_role("link", name=ui.lineage_url).first.click()
    lineage = opened.value
    expect(lineage.get_by_role("heading", level=1)).to_have_text(
        "small/extended_responses of iteration 1"
    )
    kept = next(r for r in stage_of(ui, "extended_responses").records() if r.kept)
    lineage.get_by_role("link", name=kept.record_id).click()
    chosen = lineage.locator("section.chosen")
    expect(chosen).to_contain_text("extended_responses")
    expect(chosen).to_contain_text(f"{kept.words} words")
    lineage.screenshot(path=tmp_path / "record.png", full_page=True)
    lineage.locator("section", has_text="shown to the base model").get_by_role("link").first.click()
    seeds = {r.record_id for r in ui.project.stage("seeds", None).records()}
    expect(lineage.locator("section.chosen h2")).to_have_text("seeds")
    assert lineage.title() in seeds
    lineage.close()


def rematerialize_at_another_temperature(
    ui: WebUI, page: Page, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    """Change one value in the launchpad's form, which shows the experiment's own."""
    page.goto(ui.asset("round1_stage2"))
    expect(page.get_by_text("mean_words", exact=True)).to_be_visible()
    materialize = page.get_by_role("button", name="Materialize")
    materialize.locator("xpath=following::button[1]").click()
    page.get_by_text("Open launchpad").click()
    page.get_by_placeholder("Partition").click()
    page.get_by_role("menuitem", name="1", exact=True).click()
    expect(page.get_by_text("partition: 1")).to_be_visible()
    setting = page.locator(".CodeMirror-line", has_text="temperature: 0.8")
    setting.click()
    page.keyboard.press("End")
    for _ in "0.8":
        page.keyboard.press("Backspace")
    page.keyboard.type("1.3")
    expect(page.get_by_text("No errors")).to_be_visible()
    page.screenshot(path=tmp_path / "launchpad.png")
    materialize.last.click()
    page.wait_for_url("**/runs/*")
    wait_for_success(page, instance)


def what_comes_after_is_out_of_date(ui: WebUI, page: Page, tmp_path: Path) -> None:
    page.goto(ui.asset("extended_responses", "partitions"))
    expect(page.get_by_text("Unsynced")).to_be_visible()
    page.screenshot(path=tmp_path / "unsynced.png")


def make_anew_what_is_out_of_date(ui: WebUI, page: Page, instance: dg.DagsterInstance) -> None:
    page.goto(ui.job("refresh", "playground"))
    page.get_by_role("button", name="Launch Run").click()
    page.wait_for_url("**/runs/*")
    wait_for_success(page, instance)


def materialization_times(instance: dg.DagsterInstance, *names: str) -> dict[str, float]:
    """When assets were made last; what is reused counts as not made."""
    found = {}
    for name in names:
        key = dg.AssetKey(["small", name])
        event = instance.get_latest_materialization_event(key)
        assert event
        found[name] = event.timestamp
    return found


def stage_of(ui: WebUI, name: str) -> StoredStage:
    return ui.project.stage(name, 1)
