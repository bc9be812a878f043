"""Dagster's history in a PostgreSQL of the test's own, configured as docs/running.md says."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import psycopg2
import pytest

from sl_dagster.definitions import build_definitions
from sl_dagster.experiment import load_experiment
from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.resources.named import resources_in

ROOT = os.geteuid() == 0  # PostgreSQL refuses to run as root; Debian's package brings a user
USER = "dagster"


def program(name: str) -> str:
    """A program of Debian's postgresql package, which does not put it on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")) or [shutil.which(name)]
    assert found[-1], f"{name} is missing: run `apt-get install postgresql`"
    return str(found[-1])


def call(name: str, *arguments: str) -> None:
    user = ["runuser", "-u", "postgres", "--"] if ROOT else []
    command = [*user, program(name), *arguments]
    # pg_ctl's server would keep a pipe open.
    with tempfile.TemporaryFile("w+") as output:
        result = subprocess.run(command, cwd="/", stdout=output, stderr=output, check=False)
        output.seek(0)
        assert result.returncode == 0, output.read()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where a cluster listens that holds nothing but an empty database."""
    folder = Path(tempfile.mkdtemp(prefix="sl-dagster-postgres-"))
    if ROOT:
        shutil.chown(folder, "postgres")
    data = str(folder / "data")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    options = f"-h 127.0.0.1 -p {number} -k {folder} -F"
    try:
        call("initdb", "-D", data, "-U", USER, "-A", "trust", "--no-sync")
        call("pg_ctl", "-D", data, "-w", "-o", options, "-l", str(folder / "log"), "start")
        try:
            call("createdb", "-h", "127.0.0.1", "-p", str(number), "-U", USER, "dagster")
            yield number
        finally:
            call("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def home(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A DAGSTER_HOME with the project's settings and what docs/running.md adds to them."""
    readme = (PROJECT_ROOT / "docs" / "running.md").read_text()
    [fragment] = re.findall(r"^```yaml\n(storage:\n.*?)^```", readme, re.MULTILINE | re.DOTALL)
    settings = (PROJECT_ROOT / "dagster.yaml").read_text()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "dagster.yaml").write_text(f"{settings}\n{fragment}")
    values = {"HOST": "127.0.0.1", "PORT": port, "USER": USER, "PASSWORD": "any", "DB": "dagster"}
    for name, value in values.items():
        monkeypatch.setenv(f"DAGSTER_PG_{name}", str(value))
    return str(tmp_path / "home")


def test_a_run_is_stored_and_read_back(
    home: str, port: int, tmp_path: Path, write_experiment: Callable[..., Path]
) -> None:
    experiment = load_experiment(write_experiment())
    definitions = build_definitions([experiment], resources_in(tmp_path / "data"))
    seeds = dg.AssetKey(["small", "seeds"])
    job = definitions.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.from_config(home) as instance:
        assert "Postgres" in type(instance.event_log_storage).__name__
        run = job.execute_in_process(instance=instance, asset_selection=[seeds])
        assert run.success
    with dg.DagsterInstance.from_config(home) as instance:
        stored = instance.get_run_by_id(run.run_id)
        assert stored and stored.status is dg.DagsterRunStatus.SUCCESS
        event = instance.get_latest_materialization_event(seeds)
        assert event and event.asset_materialization
        assert event.asset_materialization.metadata["kept"].value == 2
    with psycopg2.connect(host="127.0.0.1", port=port, user=USER, dbname="dagster") as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT check_name FROM asset_check_executions ORDER BY check_name")
        assert cursor.fetchall() == [("counts_agree",), ("up_to_date",)], "those of the seeds"
    assert not list(Path(home).rglob("*.db")), "nothing lies in SQLite"
