"""What is changed in vLLM: its processes on a CPU sleep while they wait."""

import subprocess
import sys

import pytest

from sl_dagster.resources.engines.vllm_server import is_cpu_build
from tests.resources.engines.conftest import needs_vllm

pytestmark = [pytest.mark.integration, needs_vllm]

# As each process of vLLM begins.
_PROGRAM = """
from vllm.plugins import load_general_plugins
load_general_plugins()
import zmq
from vllm.distributed.device_communicators.shm_broadcast import SpinCondition
print(SpinCondition(True, zmq.Context(), "inproc://nobody").busy_loop_s)
"""


@pytest.mark.skipif(not is_cpu_build(), reason="this vLLM is not the one for CPUs")
def test_processes_of_a_cpu_server_sleep_at_once() -> None:
    result = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[-1] == "0"
