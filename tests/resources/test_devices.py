"""Which GPUs are counted, and on how many an engine generates."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sl_dagster.experiment import load_experiment
from sl_dagster.resources.devices import visible_gpus
from sl_dagster.resources.engines import open_engine


@pytest.fixture
def three_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["nvidia0", "nvidia1", "nvidia11", "nvidiactl", "nvidia-uvm"]
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [self / name for name in names])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.usefixtures("three_gpus")
def test_visible_gpus_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert visible_gpus() == 3
    for visible, count in (("0,1", 2), ("1", 1), ("", 0), ("0,1,2,3", 3)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert visible_gpus() == count


@pytest.mark.parametrize(
    ("engine", "gpus"),
    [
        ({"type": "transformers", "device": "cpu"}, 0),
        ({"type": "vllm"}, 1),
        ({"type": "vllm", "options": {"tensor_parallel_size": 2}}, 2),
        ({"type": "vllm", "options": {"data_parallel_size": 8}}, 3),
        ({"type": "openai", "base_urls": ["http://127.0.0.1:9/v1"]}, None),
    ],
)
def test_an_engine_knows_its_gpus(
    write_experiment: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    engine: dict,
    gpus: int | None,
) -> None:
    experiment = load_experiment(write_experiment(engine=engine))
    request.getfixturevalue("three_gpus")
    monkeypatch.setattr("sl_dagster.resources.engines.vllm_server.is_installed", lambda: True)
    opened = open_engine(experiment.served)
    assert opened.gpus == gpus
    opened.close()
