"""The servers of the experiments on a GPU."""

import pytest

from sl_dagster.experiment import OpenAISettings, VllmSettings, load_experiment
from sl_dagster.resources.engines.vllm_options import check_options
from smollm2.serve import EXPERIMENT, OPTIONS, commands
from tests.resources.engines.conftest import needs_vllm


@pytest.fixture
def experiment(folder):
    return load_experiment(folder / EXPERIMENT.name)


def test_each_address_of_the_experiment_gets_a_server_of_its_model(experiment) -> None:
    assert isinstance(experiment.engine, OpenAISettings)
    served = dict(zip(experiment.engine.base_urls, commands(experiment), strict=True))
    for url, command in served.items():
        assert url == f"http://127.0.0.1:{command[command.index('--port') + 1]}/v1"
        assert command[command.index("--model") + 1] == experiment.served.model
        assert command[-2:] == ["--served-model-name", experiment.served.model]


@pytest.mark.integration
@needs_vllm
def test_vllm_knows_the_options(experiment) -> None:
    check_options(experiment.served, VllmSettings(type="vllm", options=OPTIONS))
