"""What the tests of checks share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sl_dagster.experiment import Experiment, load_experiment


@pytest.fixture
def experiment(write_experiment: Callable[..., Path]) -> Experiment:
    return load_experiment(write_experiment())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"
