"""Which model a stage asks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sl_dagster.assets.stage.run import served_with
from sl_dagster.errors import UserError
from sl_dagster.experiment import load_experiment
from sl_dagster.resources.adapters import CONFIG_FILE, Adapter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


def test_an_adapter_is_served_beside_the_base_model(
    write_experiment: Callable[..., Path], folder: Path
) -> None:
    (folder / CONFIG_FILE).write_text("{}")
    experiment = load_experiment(write_experiment())
    adapter = Adapter("aligned", "f1", str(folder))
    assert served_with(experiment, adapter) == (experiment.served, adapter)


def test_a_whole_model_takes_the_base_models_place(
    write_experiment: Callable[..., Path], folder: Path
) -> None:
    experiment = load_experiment(write_experiment())
    served, adapter = served_with(experiment, Adapter("aligned", "f1", str(folder)))
    assert (served.model, adapter.path) == (str(folder), None)
    assert served.name != experiment.served.name
    assert adapter.fingerprint == "f1"


def test_endpoints_cannot_serve_a_whole_model(
    write_experiment: Callable[..., Path], folder: Path
) -> None:
    engine = {"type": "openai", "base_urls": ["http://here/v1"]}
    experiment = load_experiment(write_experiment(engine=engine))
    with pytest.raises(UserError, match="engine: the endpoints serve some/model, and not"):
        served_with(experiment, Adapter("aligned", "f1", str(folder)))
