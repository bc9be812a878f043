"""Several vLLM servers on one GPU, for the experiments ``smollm2_135m_gpu``.

A server of so small a model has one processor core busy with scheduling and with launching kernels
while the GPU waits. So there are several, at the addresses that the experiment names, until this
program is interrupted.

    python -m smollm2.serve &
    make real REAL=smollm2_135m_gpu
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from sl_dagster.experiment import Experiment, OpenAISettings, VllmSettings, load_experiment
from sl_dagster.resources.engines.vllm_options import server_arguments

EXPERIMENT = Path(__file__).parent / "experiments" / "smollm2_135m_gpu.yaml"
LOGS = Path("data") / "smollm2_servers"

# Graphs for decoding alone: to compile the model as well takes minutes, and little is gained.
OPTIONS = {
    "dtype": "bfloat16",
    "max_model_len": 4096,
    "max_num_seqs": 128,
    "kv_cache_memory_bytes": 4 << 30,
    "gpu_memory_utilization": 0.05,  # of no account where the cache has a size
    "compilation_config": {
        "mode": 0,
        "cudagraph_mode": "FULL_DECODE_ONLY",
        "cudagraph_capture_sizes": [1, 2, 4, 8, 16, 32, 64, 96, 128],
    },
}


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=Path, default=LOGS)
    arguments = parser.parse_args()
    arguments.logs.mkdir(parents=True, exist_ok=True)
    servers = [
        started(command, arguments.logs / f"{number}.log")
        for number, command in enumerate(commands(load_experiment(EXPERIMENT)))
    ]
    try:
        for server in servers:
            server.wait()
    finally:
        for server in servers:
            server.terminate()


def commands(experiment: Experiment) -> list[list[str]]:
    """The command line of each server."""
    assert isinstance(experiment.engine, OpenAISettings)
    program = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    settings = VllmSettings(type="vllm", options=OPTIONS)
    served = experiment.served
    ports = [urlsplit(url).port for url in experiment.engine.base_urls]
    named = ["--served-model-name", served.model]
    return [[*program, *server_arguments(served, settings, port or 0), *named] for port in ports]


def started(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """A server, whose words go to a file."""
    environment = os.environ | {
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "60",
    }
    return subprocess.Popen(
        command, env=environment, stdout=log.open("wb"), stderr=subprocess.STDOUT
    )


if __name__ == "__main__":
    main()
