"""The real model's experiments without the real model, whose weights need not be there."""

import shutil

import pytest

from sl_dagster import demo
from sl_dagster.paths import PROJECT_ROOT


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The experiments' folder in a project whose real model is the miniature one."""
    project = tmp_path_factory.mktemp("project")
    shutil.copytree(PROJECT_ROOT / "seeds", project / "seeds")
    shutil.copytree(
        PROJECT_ROOT / "smollm2",
        project / "smollm2",
        ignore=shutil.ignore_patterns("model", "*.py", "__pycache__"),
    )
    shutil.copytree(demo.FOLDER / "model", project / "smollm2" / "model")
    return project / "smollm2" / "experiments"
