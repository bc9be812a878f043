"""`dagster dev` and `dg dev` in the project's folder show what `sl-dagster ui` shows."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest
import yaml

from sl_dagster.paths import PROJECT_ROOT
from tests.assets.conftest import Project, new_project
from tests.listening import open_to_others

_SECONDS_TO_START = 400  # on a busy machine
_LOCATION = "sl_dagster.definitions"
Started = tuple[str, str, subprocess.Popen]  # addresses of web UI and lineage view, the process
_OVERVIEW = """
{ workspaceOrError { ... on Workspace { locationEntries {
    name
    locationOrLoadError { ... on RepositoryLocation { repositories {
      name
      pipelines { name runs(limit: 5) {
        status repositoryOrigin { repositoryName repositoryLocationName }
      } }
    } } ... on PythonError { message } }
} } } }
"""
_MATERIALIZED = """
{ assetNodes(assetKeys: [{path: ["small", "seeds"]}]) {
    assetMaterializations(limit: 1) { metadataEntries { label ... on UrlMetadataEntry { url } } }
} }
"""


def test_the_code_location_has_one_name() -> None:
    workspace = yaml.safe_load((PROJECT_ROOT / "workspace.yaml").read_text())
    [location] = workspace["load_from"]
    assert location["python_module"]["location_name"] == _LOCATION
    dg_project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["tool"]["dg"][
        "project"
    ]
    assert dg_project["code_location_name"] == _LOCATION


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project of which the command line has made one stage."""
    project = new_project(tmp_path_factory.mktemp("project"))
    result = project.run("run", "-e", "small", "--iterations", "1", "--only", "seeds")
    assert result.returncode == 0, result.stdout + result.stderr
    for name in ("pyproject.toml", "workspace.yaml"):
        shutil.copy(PROJECT_ROOT / name, project.root)
    (project.root / "sl_dagster").symlink_to(PROJECT_ROOT / "sl_dagster")
    settings = {
        name: value
        for name, value in project.environment.items()
        if name.startswith("SL_DAGSTER_") or name == "DAGSTER_HOME"
    }
    (project.root / ".env").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
    return project


@pytest.fixture(params=["dagster", "dg"])
def started(request: pytest.FixtureRequest, project: Project) -> Iterator[Started]:
    """Both commands, one after the other; everything is over in the end."""
    web_ui, lineage = _free_port(), _free_port()
    address = f"http://127.0.0.1:{lineage}"
    environment = dict(os.environ) | {"SL_DAGSTER_LINEAGE": address}
    # What is in .env, and nothing else, says where the project's folders are.
    for name in ("DAGSTER_HOME", "SL_DAGSTER_DATA", "SL_DAGSTER_EXPERIMENTS"):
        environment.pop(name, None)
    environment["PYTHONPATH"] = str(PROJECT_ROOT)
    program = str(Path(sys.executable).parent / request.param)
    with (project.root / f"{request.param}.txt").open("wb") as output:
        process = subprocess.Popen(
            [program, "dev", "-p", str(web_ui)],
            env=environment,
            cwd=project.root,
            stdout=output,
            stderr=output,
            start_new_session=True,
            # Whoever started the tests may have made them deaf to it, and all below them.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
    try:
        yield f"http://127.0.0.1:{web_ui}", address, process
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def ask(address: str, query: str | None = None) -> Any:
    """What is answered there; a query is asked by GraphQL, and its one field is returned."""
    body = json.dumps({"query": query}).encode() if query else None
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    if query:
        assert "errors" not in answer, answer
        [answer] = answer["data"].values()
    return answer


def wait_for(found: Callable[[], Any], process: subprocess.Popen) -> Any:
    """What is found as soon as there is something, as long as the process lives."""
    end = time.monotonic() + _SECONDS_TO_START
    while True:
        try:
            if answer := found():
                return answer
        except OSError:
            pass
        assert process.poll() is None, "the command has ended"
        assert time.monotonic() < end, "this takes too long"
        time.sleep(1)


@pytest.mark.integration
def test_history_data_and_links_are_the_same(started: Started, project: Project) -> None:
    web_ui, lineage, process = started
    graphql = f"{web_ui}/graphql"
    [location] = wait_for(lambda: ask(graphql, _OVERVIEW).get("locationEntries"), process)
    assert location["name"] == _LOCATION
    [repository] = location["locationOrLoadError"]["repositories"]
    jobs = {job["name"]: job["runs"] for job in repository["pipelines"]}
    [run] = jobs["small_iteration"]
    assert run["status"] == "SUCCESS", "the run of the command line is in its job's list"
    # Without this, the Overview leaves a run out.
    assert run["repositoryOrigin"] == {
        "repositoryName": repository["name"],
        "repositoryLocationName": _LOCATION,
    }
    [node] = ask(graphql, _MATERIALIZED)
    [event] = node["assetMaterializations"]
    [link] = [entry["url"] for entry in event["metadataEntries"] if "url" in entry]
    assert link.endswith("experiment=small&iteration=0&stage=seeds")
    about = wait_for(lambda: ask(f"{lineage}/about"), process)
    assert about == {"data": str(project.data)}, "the lineage view is there, too"
    assert open_to_others([psutil.Process(process.pid)]) == []


def test_runs_of_the_command_line_are_tagged(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", project.environment["DAGSTER_HOME"])
    with dg.DagsterInstance.get() as instance:
        wanted = dg.RunsFilter(tags={".dagster/repository": f"__repository__@{_LOCATION}"})
        [run] = instance.get_runs(wanted)
    assert run.job_name == "small_iteration"
    assert run.remote_job_origin and run.remote_job_origin.location_name == _LOCATION
