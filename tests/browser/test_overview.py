"""What a person sees first: the greeting, the Overview, experiments whose files are wrong."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import WebUI, wait_for

pytestmark = pytest.mark.integration


def test_the_greeting_says_where_to_begin(ui: WebUI, page: Page) -> None:
    wait_for(lambda: "Stop with Ctrl-C" in ui.said, 60)
    *before, greeting = ui.said.partition("Web UI   ")
    assert before
    assert greeting.startswith(f"{ui.url}\nLineage  {ui.lineage_url}\n")
    assert "broken.yaml: base_model: this key is missing" in greeting
    # Runs of the tests before, and what Dagster says of them, have a log of their own.
    assert greeting.endswith("Stop with Ctrl-C.\n")
    log = ui.project.root / "home" / "web_ui.log"
    assert str(log) in " ".join(before)
    [begin] = [line.split()[2] for line in greeting.splitlines() if line.startswith("Begin at ")]
    page.goto(begin)
    expect(page.get_by_text("extended_responses").first).to_be_visible()


def test_a_run_of_the_command_line_is_on_the_overview(
    ui: WebUI, page: Page, tmp_path: Path
) -> None:
    arguments = ("run", "-e", "third", "--iterations", "1", "--only", "seeds")
    result = ui.project.run_as_a_program(*arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    page.goto(f"{ui.url}/overview/activity/timeline")
    expect(page.get_by_role("link", name="third_iteration")).to_be_visible()
    page.screenshot(path=tmp_path / "overview.png")
    page.goto(f"{ui.job('iteration', 'runs')}".replace("small_", "third_"))
    expect(page.get_by_text("Success")).to_have_count(1)


def test_a_broken_experiment_is_shown_with_its_mistake(ui: WebUI, page: Page) -> None:
    page.goto(ui.group("broken_experiments"))
    expect(page.get_by_text("broken", exact=True).first).to_be_visible()
    page.goto(f"{ui.url}/assets/broken_experiments/broken")
    expect(page.get_by_text("expected a whole number, found 'many'")).to_be_visible()
