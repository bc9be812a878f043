"""Every link of every kind of page leads to something, within the lineage view and to Dagster."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import dagster as dg
import pytest
from starlette.testclient import TestClient

from sl_dagster.assets import experiment_assets
from sl_dagster.experiment import Experiment
from sl_dagster.lineage.addresses import stage_address
from sl_dagster.lineage.server import lineage_app
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from tests.lineage.conftest import StageWriter, links

WEB_UI = "http://127.0.0.1:3000"


@pytest.fixture
def pages(whole: Path) -> TestClient:
    return TestClient(lineage_app(whole), base_url="http://127.0.0.1")


@pytest.fixture(scope="module")
def crawled(whole: Path) -> dict[str, str]:
    """Every page that can be reached from the first one, by its address."""
    pages = TestClient(lineage_app(whole), base_url="http://127.0.0.1")
    found: dict[str, str] = {}
    ahead = ["/"]
    while ahead:
        address = ahead.pop()
        page = pages.get(address)
        assert page.status_code == 200, f"{address}: {page.text}"
        found[address] = page.text
        new = [link for link in links(page.text) if link.startswith("/") and link not in found]
        ahead += [link for link in dict.fromkeys(new) if link not in ahead]
    return found


def test_every_link_opens_and_every_stage_is_reached(crawled: dict[str, str], whole: Path) -> None:
    complete = StageStore(data_dir=str(whole)).complete()
    headings = [page.partition("<h1>")[2].partition("</h1>")[0] for page in crawled.values()]
    assert {str(key) for key in complete} <= set(headings)
    records = [address for address in crawled if address.startswith("/record/")]
    assert len(records) >= 2 * len(complete), "all records are reached, too"


def test_links_to_dagster_name_assets_that_there_are(
    crawled: dict[str, str], everything: Experiment
) -> None:
    assets = {
        key: asset.partitions_def for asset in experiment_assets(everything) for key in asset.keys
    }
    outward = {link for page in crawled.values() for link in links(page) if link[0] != "/"}
    assert outward
    for link in outward:
        assert link.startswith(f"{WEB_UI}/assets/")
        parts = urlsplit(link)
        partitions = assets[dg.AssetKey(parts.path.split("/")[2:])]
        [partition] = parse_qs(parts.query).get("partition", [None])
        known = partitions.get_partition_keys() if partitions else [None]
        assert partition in known, link


def test_every_page_of_a_stage_and_of_a_record_leads_back_to_dagster(
    crawled: dict[str, str],
) -> None:
    for address, page in crawled.items():
        assert any(link.startswith(WEB_UI) for link in links(page)), address


def test_what_asset_pages_link_to_shows_the_records(pages: TestClient, whole: Path) -> None:
    complete = StageStore(data_dir=str(whole)).complete()
    assert complete
    for key in complete:
        parts = urlsplit(stage_address(key))
        page = pages.get(f"{parts.path}?{parts.query}")
        assert page.status_code == 200
        assert f"<h1>{key}</h1>" in page.text
        assert "2 texts" in page.text


def test_a_choice_is_named_once(crawled: dict[str, str]) -> None:
    rows = [(where, row) for where, page in crawled.items() for row in page.split("<nav>")[1:]]
    assert rows
    for address, row in rows:
        labels = [part.split("<")[0] for part in row.split("</nav>")[0].split('">')[1:]]
        assert labels and len(labels) == len(set(labels)), (address, labels)


def test_choices_are_grouped_by_when_they_are_made(pages: TestClient) -> None:
    def choices(row: str, **asked: object) -> list[str]:
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        nav = pages.get(f"/?experiment=whole&{query}").text.partition(f"<span>{row}</span>")[2]
        return [part.split("<")[0] for part in nav.split("</nav>")[0].split('">')[1:]]

    assert choices("iteration") == ["before", "1", "2", "after", "models"]
    assert choices("stage", stage="seeds") == ["seeds", "heldout_base"]
    after = choices("stage", stage="dataset")
    assert after[:3] == ["more_instructions", "more_responses", "dataset"]
    base = "longen_scores/model=base"
    assert choices("stage", stage=base)[0] == "longbench_scores"
    assert choices("model", stage=base) == ["base", "1", "2", "aligned"]


def test_all_records_of_a_records_own_stage(tmp_path: Path) -> None:
    write = StageWriter(tmp_path)
    for experiment, iteration in (("one", 1), ("two", 9)):
        record = write.text(
            "instructions", experiment, "Write.", experiment=experiment, iteration=iteration
        )
        write.stage("instructions", record)
    pages = TestClient(lineage_app(tmp_path), base_url="http://127.0.0.1")
    [back, *_] = links(pages.get("/record/one").text)
    assert "<h1>one/instructions of iteration 1</h1>" in pages.get(back).text


def test_searching_beyond_one_stage(pages: TestClient) -> None:
    def found(where: str, stage: str = "instructions", iteration: int = 1) -> str:
        page = pages.get(
            f"/?experiment=whole&iteration={iteration}&stage={stage}&words=wriTTen&where={where}"
        ).text
        return page.partition('<p class="quiet">')[2].partition(" texts")[0]

    loop = len([key for key in _complete(pages) if key.iteration == 1])
    assert found("stage") == "2"
    assert found("iteration") == str(2 * loop)
    assert found("experiment") == str(2 * len(_complete(pages)))
    assert found("nonsense") == "2"
    page = pages.get("/?experiment=whole&words=length_controlled&where=experiment").text
    assert "<mark>length_controlled</mark>" in page
    assert "length_controlled</a>" in page, "the stage of each hit is named"


def test_a_web_ui_elsewhere(pages: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SL_DAGSTER_UI", "https://dagster.example/")
    assert "https://dagster.example/assets/whole/dataset" in links(
        pages.get("/?experiment=whole&stage=dataset").text
    )


def _complete(pages: TestClient) -> list[StageKey]:
    folder: Callable[[], dict[str, str]] = pages.get("/about").json
    return StageStore(data_dir=folder()["data"]).complete()
