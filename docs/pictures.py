"""Takes the README's pictures of the demo from the web UI.

    .venv/bin/python docs/pictures.py            # after `make demo`, while `make ui` runs

It needs Debian's ``chromium``, as ``make test`` does. The pictures lie beside this file.
"""

import argparse
import os
import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from sl_dagster.lineage.addresses import record_address
from sl_dagster.paths import data_dir
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore

_FOLDER = Path(__file__).parent
_WIDTH = 1280
_GRAPH_WIDTH = 1600  # the graph is drawn as large as its place
_MILLISECONDS_TO_SHOW = 60_000
_MILLISECONDS_TO_DRAW = 3_000  # the graph moves into its place


def take(
    page: Page, address: str, awaited: str, name: str, height: int = 900, width: int = _WIDTH
) -> None:
    """Take one picture, when a text stands on the page."""
    page.set_viewport_size({"width": width, "height": height})
    page.goto(address)
    page.get_by_text(awaited, exact=True).first.wait_for(timeout=_MILLISECONDS_TO_SHOW)
    page.wait_for_timeout(_MILLISECONDS_TO_DRAW)
    page.screenshot(path=_FOLDER / f"{name}.png")


def main() -> None:
    """Take all of them."""
    parser = argparse.ArgumentParser(description="Takes the README's pictures of the demo.")
    parser.add_argument("--ui", default="http://127.0.0.1:3000", help="where the web UI is")
    ui = parser.parse_args().ui
    extended = StageStore(data_dir=str(data_dir())).read(StageKey("demo", "extended_responses", 2))
    record = next(record for record in extended.records() if record.kept)
    graph = f"{ui}/locations/sl_dagster.definitions/asset-groups/demo"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
        )
        page = browser.new_page()
        take(page, graph, "round1_stage2", "graph", 760, _GRAPH_WIDTH)
        take(page, f"{ui}/assets/demo/length_growth", "headline", "length_growth")
        pages = f"{ui}/assets/demo/extended_responses?view=overview&partition=2"
        take(page, pages, "headline", "extended_responses", 1100)
        take(page, record_address(record.record_id), "extended_responses", "lineage", 1100)
        browser.close()


if __name__ == "__main__":
    main()
