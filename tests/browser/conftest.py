"""The real web UI of the smallest experiment, by GraphQL and by a browser.

One server, with its daemon and queue of runs, serves all tests of this folder. Each of them finds
the history that the ones before have left.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.assets.conftest import DEMO, Project, new_project

_SECONDS_TO_START = 300
_MILLISECONDS_TO_SHOW = 120_000  # on a busy machine
_LOCATION = "locations/sl_dagster.definitions"
_LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on PythonError { message }
  }
}
"""
JOB = {
    "repositoryLocationName": "sl_dagster.definitions",
    "repositoryName": "__repository__",
    "pipelineName": "small_iteration",
}
# All that *Materialize all* makes is made for it, four engines and five trainings, so each has the
# least to do with which no stage is left empty.
OTHER = {
    "benchmarks": {"longen": {"queries": str(DEMO / "longen.jsonl"), "scale": 0.02, "limit": 1}},
    "instructions": {"count": 4},
    "initial_responses": {"samples": 1, "sampling": {"max_tokens": 120}},
    "extension": {"growth": 1.0, "tries": 4},
    "length_selection": False,
    "dataset": {"collect": 0},
}


class WebUI:
    """A project and what ``sl-dagster ui`` shows of it.

    Attributes:
        project: its experiment is called ``small``.
        process: what has been started; runs are its descendants.
        url: of the web UI, without a slash at the end.
        lineage_url: of the lineage view, likewise.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        port, lineage_port = _free_ports()
        self.url = f"http://127.0.0.1:{port}"
        self.lineage_url = f"http://127.0.0.1:{lineage_port}"
        self._log = project.root / "ui.txt"
        settings = {
            "SL_DAGSTER_LINEAGE": self.lineage_url,
            # On a busy machine a run's process needs longer to start than Dagster allows.
            "DAGSTER_GRPC_TIMEOUT_SECONDS": "600",
        }
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                project.command("ui", "--port", str(port)),
                env=project.environment | settings,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """What has been printed so far."""
        return self._log.read_text()

    def asset(self, name: str, view: str = "overview") -> str:
        """The address of an asset's page; of iteration 1, where a view shows only one."""
        return f"{self.url}/assets/small/{name}?view={view}&partition=1"

    def group(self, name: str = "small") -> str:
        """The address of a group's graph."""
        return f"{self.url}/{_LOCATION}/asset-groups/{name}"

    def job(self, name: str, view: str = "") -> str:
        """The address of a job's page."""
        return f"{self.url}/{_LOCATION}/jobs/small_{name}/{view}"

    def ask(self, query: str, **variables: Any) -> Any:
        """The answer to a GraphQL query; its one field."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer
        [value] = answer["data"].values()
        return value

    def launch(self, iteration: str, asset: str = "", config: dict[str, Any] | None = None) -> str:
        """Launch an iteration, or one asset of it from the launchpad; returns the run's id."""
        name = f"small__{asset}"
        params = {
            "selector": JOB | ({"assetSelection": [{"path": ["small", asset]}]} if asset else {}),
            "runConfigData": json.dumps({"ops": {name: {"config": config}}} if config else {}),
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": iteration}]},
        }
        answer = self.ask(_LAUNCH, params=params)
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]

    def wait_until_up(self) -> None:
        wait_for(self._is_up, _SECONDS_TO_START)

    def close(self) -> None:
        # In the background it may be deaf to SIGINT and SIGTERM.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        try:
            self.ask("{ version }")
        except OSError:
            return False
        return True


def wait_for(condition: Callable[[], Any], seconds: float = 900) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this takes too long"
        time.sleep(0.2)


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


@pytest.fixture(scope="package")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebUI]:
    """The web UI of an experiment as small as it can be; all of it is gone in the end."""
    project = new_project(tmp_path_factory.mktemp("ui"))
    project.change(
        heldout=None,
        iterations=2,
        instructions={"count": 8, "max_similarity": 1, "sampling": {"max_tokens": 60}},
        extension={"rounds": 1, "samples": 1, "tries": 2, "max_tokens_per_input_word": 4.0},
        training={"epochs": 1, "batch_size": 2, "learning_rate": 1.0e-3},
    )
    experiments = project.root / "experiments"
    shutil.copy(experiments / "small.yaml", experiments / "third.yaml")
    (experiments / "other.yaml").write_text(yaml.safe_dump({"extends": "small.yaml", **OTHER}))
    (experiments / "broken.yaml").write_text("iterations: many\n")
    ui = WebUI(project)
    try:
        ui.wait_until_up()
        yield ui
    finally:
        ui.close()


@pytest.fixture
def instance(ui: WebUI, monkeypatch) -> Iterator[dg.DagsterInstance]:
    """Dagster's history of the experiment."""
    monkeypatch.setenv("DAGSTER_HOME", ui.project.environment["DAGSTER_HOME"])
    with dg.DagsterInstance.get() as instance:
        yield instance


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium.

    It goes before other tests begin: while it is there, an event loop of Playwright's runs in this
    thread, and tests cannot run their own.
    """
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing: run `apt-get install chromium`"
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--disable-gpu", "--disable-dev-shm-usage", *root],
            timeout=_MILLISECONDS_TO_SHOW,
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
