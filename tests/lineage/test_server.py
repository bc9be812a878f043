"""The pages: what they show, how they answer, and that nothing in a text is ever run."""

import shutil
import socket
import threading
import urllib.request
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from sl_dagster.errors import UserError
from sl_dagster.lineage.server import lineage_app, serve, serve_beside
from tests.lineage.conftest import SCRIPT, links


@pytest.fixture
def pages(small: Path) -> TestClient:
    return TestClient(lineage_app(small), base_url="http://127.0.0.1")


def test_the_first_page_shows_what_has_come_furthest(pages: TestClient) -> None:
    page = pages.get("/")
    assert page.status_code == 200
    assert "e/extended_responses of iteration 1" in page.text
    assert 'href="/record/e1"' in page.text


def test_what_is_out_of_date_is_said_above_the_list(small: Path) -> None:
    app = lineage_app(small, stale=lambda experiment: f"2 <results> of {experiment} are out")
    page = TestClient(app, base_url="http://127.0.0.1").get("/").text
    assert "2 &lt;results&gt; of e are out" in page
    assert page.index("of e are out") < page.index("<form")


def test_a_search_and_its_filters(pages: TestClient) -> None:
    asked = "/?experiment=e&iteration=1&stage=initial_responses"
    assert {"/record/r1", "/record/r2"} <= set(links(pages.get(asked).text))
    assert "/record/r1" not in links(pages.get(f"{asked}&kept=no").text)
    assert "/record/r2" not in links(pages.get(f"{asked}&words=old").text)
    assert "bad_ending (1)" in pages.get(asked).text
    straight = pages.get(f"{asked}&words=x1.1", follow_redirects=False)
    assert straight.headers["location"] == "/record/x1.1"


def test_a_record_with_its_chain(pages: TestClient) -> None:
    page = pages.get("/record/x1").text
    for expected in ("s1", "r1", "t-generator", "generator-1", "repetition", "bad_ending"):
        assert expected in page
    assert "<mark>very old and made of stone.</mark>" in page.replace("\n", "")
    assert "cut off: “I removed &lt;b&gt;repetitive&lt;/b&gt; words.”" in page
    assert "made from" in pages.get("/?experiment=e&iteration=1&stage=instructions&parent=s1").text


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("/record/nobody", "there is no record nobody"),
        ("/record/..%2f..%2fpasswd", "Not Found"),
        ("/?experiment=other", "there are e (iterations 0 to 1)"),
        ("/?experiment=e&iteration=1&stage=nonsense", "has not been made yet"),
        ("/?experiment=e&iteration=1&stage=../../x", "has not been made yet"),
    ],
)
def test_what_is_not_there_is_named(pages: TestClient, address: str, message: str) -> None:
    page = pages.get(address)
    assert page.status_code == 404
    assert message in page.text


def test_an_empty_data_folder(tmp_path: Path) -> None:
    page = TestClient(lineage_app(tmp_path), base_url="http://127.0.0.1").get("/")
    assert "nothing has been stored yet" in page.text


@pytest.mark.parametrize(
    "address",
    [
        "/record/r2",
        "/?experiment=e&iteration=1&stage=initial_responses",
        f"/?experiment=e&iteration=1&stage=initial_responses&words={quote(SCRIPT)}",
        f"/record/{quote(SCRIPT.replace('/', ''))}",
    ],
)
def test_texts_are_text(pages: TestClient, address: str) -> None:
    page = pages.get(address)
    assert "<script" not in page.text and "<img" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    "host",
    [
        "elsewhere.example", "elsewhere.example:3001", "127.0.0.1.elsewhere.example", "", "[::1",
        "localhost.elsewhere.example", "127.0.0.1@elsewhere.example", "elsewhere.example#localhost",
    ],
)  # fmt: skip
def test_a_name_that_is_not_ours_is_refused(pages: TestClient, host: str) -> None:
    """DNS rebinding: somebody else's name points to this machine."""
    for path in ("/", "/record/r1", "/about", "/nothing"):
        assert pages.get(path, headers={"host": host}).status_code == 400


def test_no_address_leads_out_of_the_data_folder(pages: TestClient, small: Path) -> None:
    """Though there is something to be read."""
    decoy = small.parent / f"{small.name}-decoy"
    shutil.copytree(small / "e", decoy / "e")
    assert "Write of a road." in pages.get("/?experiment=e&stage=seeds&iteration=0").text
    for experiment in (f"../{decoy.name}/e", f"{decoy}/e", f"e/../../{decoy.name}/e"):
        page = pages.get("/", params={"experiment": experiment, "stage": "seeds", "iteration": 0})
        assert page.status_code == 404
        assert "Write of a road." not in page.text
    stage = f"../../{decoy.name}/e/seeds"
    page = pages.get("/", params={"experiment": "e", "stage": stage, "iteration": 0})
    assert (page.status_code, "Write of a road." in page.text) == (404, False)
    assert pages.get("/?experiment=%00&stage=seeds").status_code == 404


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://elsewhere.example", 400),
        ("null", 400),
        ("file://", 400),
        ("http://127.0.0.1:3000", 200),
        ("http://localhost:3000", 200),
    ],
)
def test_a_page_from_elsewhere_gets_nothing(pages: TestClient, origin: str, status: int) -> None:
    assert pages.get("/", headers={"origin": origin}).status_code == status


def test_own_names_and_addresses_are_answered(
    pages: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for host in ("localhost:3001", "LOCALHOST", "[::1]:3001", "10.0.0.7", socket.gethostname()):
        assert pages.get("/", headers={"host": host}).status_code == 200
    assert pages.get("/", headers={"host": "lengths.example"}).status_code == 400
    monkeypatch.setenv("SL_DAGSTER_LINEAGE", "https://lengths.example/")
    assert pages.get("/", headers={"host": "lengths.example"}).status_code == 200


def test_a_port_that_is_taken(small: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        answers = threading.Thread(target=lambda: other.accept()[0].close(), daemon=True)
        answers.start()
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1:{port}"):
            serve(small, "127.0.0.1", port, lambda: None)


@pytest.fixture
def address(small: Path) -> str:
    """The pages on a real port."""
    port = free_port()
    serve_beside(small, "127.0.0.1", port)
    # A second one finds that the same pages are shown already, and is content.
    called: list[bool] = []
    serve(small, "127.0.0.1", port, lambda: called.append(True))
    assert called == [True]
    return f"http://127.0.0.1:{port}"


def test_in_a_browser(address: str) -> None:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    assert chromium, "this test needs a browser: `apt-get install chromium`"
    with sync_playwright() as playwright:
        # Without its sandbox, which does not start for root, as CI often is.
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"], timeout=180_000
        )
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{address}/?experiment=e&iteration=1&stage=initial_responses")
        page.fill("input[type=search]", "old bridge")
        page.click("button")
        page.click("text=r1")
        assert page.title() == "r1"
        assert page.locator("section.chosen").count() == 1
        widths = [bar.bounding_box() for bar in page.locator(".bar").all()]
        assert len({round(box["width"]) for box in widths if box}) > 2, "the bars have lengths"
        background = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(background)
        page.emulate_media(color_scheme="dark")
        assert page.evaluate(background) != light
        page.click("text=Other texts made from the same source")
        assert SCRIPT in page.locator("body").inner_text()
        page.goto(f"{address}/record/r2")
        assert page.title() == "r2", "no script has run"
        browser.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def test_the_pages_are_there_while_the_process_lives(address: str) -> None:
    with urllib.request.urlopen(f"{address}/about", timeout=30) as answer:
        assert answer.status == 200


def test_a_report_that_was_written_is_shown(pages: TestClient, small: Path) -> None:
    missing = pages.get("/report/e")
    assert (missing.status_code, "sl-dagster report --experiment e" in missing.text) == (404, True)
    assert pages.get("/report/other").status_code == 404
    (small / "e" / "report.html").write_text("<p>the report</p>")
    page = pages.get("/report/e")
    assert page.text == "<p>the report</p>"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "img-src data:" in page.headers["Content-Security-Policy"]
