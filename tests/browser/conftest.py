"""A browser on the real web UI: webserver, daemon and runs of the smallest experiment."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.assets.conftest import Project, new_project

_SECONDS_TO_START = 300
_MILLISECONDS_TO_SHOW = 120_000  # on a busy machine


@dataclass
class Ui:
    """A project whose web UI is open.

    Attributes:
        project: its experiment is called ``small``; nothing has been run yet.
        url: of the web UI, without a slash at the end.
    """

    project: Project
    url: str

    def asset(self, name: str, view: str = "") -> str:
        """The address of an asset's page."""
        return f"{self.url}/assets/small/{name}" + (f"?view={view}" if view else "")


@pytest.fixture(scope="session")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """What ``sl-dagster ui`` starts; all of it is gone in the end."""
    project = new_project(tmp_path_factory.mktemp("ui"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = project.root / "ui.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            project.command("ui", "--port", str(port)),
            env=project.environment,
            cwd=project.root,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    ui = Ui(project, f"http://127.0.0.1:{port}")
    try:
        _wait_until_it_answers(ui, process, log)
        yield ui
    finally:
        # `dagster dev` may ignore gentler signals when nobody sits at its terminal.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_it_answers(ui: Ui, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"{ui.url}/server_info", timeout=10).close()
            return
        time.sleep(0.5)
    pytest.fail(f"the web UI did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing: run `apt-get install chromium`"
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--disable-gpu", "--disable-dev-shm-usage", *root]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page that leaves a screenshot of how it ended in the test's folder."""
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.set_default_timeout(_MILLISECONDS_TO_SHOW)
    expect.set_options(timeout=_MILLISECONDS_TO_SHOW)
    yield page
    page.screenshot(path=tmp_path / "end.png")
    page.close()
