"""Settings from the environment: as people write them."""

import os
from pathlib import Path

import pytest
from dotenv import dotenv_values

from sl_dagster import paths
from sl_dagster.errors import UserError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder that nobody has worked in yet; it is the current folder, too."""
    root = tmp_path / "my project"
    root.mkdir()
    (root / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setattr(paths, "PROJECT_ROOT", root)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(root)
    for name in ("DAGSTER_HOME", "SL_DAGSTER_DATA", "SL_DAGSTER_EXPERIMENTS"):
        # Set first, so that what the code sets itself is put back, too.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return root


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "my project/data"),
        ("", "my project/data"),
        ("here", "my project/here"),
        ("../there/", "there"),
        ("~/mine", "mine"),
    ],
)
def test_folders(
    project: Path, monkeypatch: pytest.MonkeyPatch, value: str | None, expected: str
) -> None:
    if value is not None:
        monkeypatch.setenv("SL_DAGSTER_DATA", value)
    expected_folder = project.parent / expected
    assert paths.data_dir() == expected_folder
    paths.make_folders_absolute()
    monkeypatch.chdir("/")
    assert paths.data_dir() == expected_folder, "for a process in another folder, too"
    assert paths.experiments_dir() == project / "experiments"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", "my project/.dagster"), ("home", "my project/home"), ("~/home", "home")],
)
def test_dagster_home(
    project: Path, monkeypatch: pytest.MonkeyPatch, value: str, expected: str
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", value)
    assert paths.ensure_dagster_home() == project.parent / expected
    assert os.environ["DAGSTER_HOME"] == str(project.parent / expected)
    assert (project.parent / expected).is_dir()
    assert (project / ".env").exists() == (value == ""), "what the user names is theirs to tell"


def test_a_dagster_home_that_cannot_be_made(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "dagster.yaml")
    with pytest.raises(UserError, match=r"DAGSTER_HOME is dagster\.yaml: .*cannot be made"):
        paths.ensure_dagster_home()


def seen_by_dagster(project: Path) -> dict[str, str | None]:
    """The variables that Dagster's own commands take from the project's folder."""
    return dict(dotenv_values(project / ".env"))


def test_dagsters_commands_are_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths.ensure_dagster_home()
    monkeypatch.delenv("DAGSTER_HOME")
    assert seen_by_dagster(project) == {"DAGSTER_HOME": str(project / ".dagster")}
    monkeypatch.setenv("DAGSTER_HOME", "/elsewhere")
    assert seen_by_dagster(project) == {"DAGSTER_HOME": "/elsewhere"}


def test_other_lines_of_the_file_stay(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".env").write_bytes(b"# mine: \xff\nHF_TOKEN=secret")
    paths.ensure_dagster_home()
    written = (project / ".env").read_bytes()
    assert written.startswith(b"# mine: \xff\nHF_TOKEN=secret\nDAGSTER_HOME=")
    monkeypatch.delenv("DAGSTER_HOME")
    paths.ensure_dagster_home()
    assert (project / ".env").read_bytes() == written


def test_a_home_that_the_user_wrote_there_stays(project: Path) -> None:
    (project / ".env").write_text("export DAGSTER_HOME=/mine\n")
    paths.ensure_dagster_home()
    assert (project / ".env").read_text() == "export DAGSTER_HOME=/mine\n"


def test_a_project_that_was_moved(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths.ensure_dagster_home()
    moved = project.rename(project.parent / "moved")
    monkeypatch.setattr(paths, "PROJECT_ROOT", moved)
    monkeypatch.delenv("DAGSTER_HOME")
    paths.ensure_dagster_home()
    monkeypatch.delenv("DAGSTER_HOME")
    assert seen_by_dagster(moved) == {"DAGSTER_HOME": str(moved / ".dagster")}
