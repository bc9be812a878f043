"""What is changed in vLLM: its processes on a CPU sleep while they wait."""

import subprocess
import sys

import pytest

from sl_dagster.resources.engines.vllm_options import is_cpu_build
from tests.resources.engines.conftest import needs_vllm

pytestmark = [pytest.mark.integration, needs_vllm]

# As each process of vLLM begins. A reader that has just read waits a hundred times.
_PROGRAM = """
import os, time
from vllm.plugins import load_general_plugins
load_general_plugins()
import zmq
from vllm.distributed.device_communicators.shm_broadcast import SpinCondition
reader = SpinCondition(True, zmq.Context(), "inproc://nobody")
reader.record_read()
start, used = time.monotonic(), time.process_time()
for _ in range(100):
    reader.wait()
print(time.monotonic() - start, time.process_time() - used, flush=True)
os._exit(0)  # ZeroMQ does not like to be left otherwise
"""


@pytest.mark.skipif(not is_cpu_build(), reason="this vLLM is not the one for CPUs")
def test_processes_of_a_cpu_server_sleep_while_they_wait() -> None:
    result = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    seconds, of_the_processor = map(float, result.stdout.split()[-2:])
    assert seconds > 0.04, "it sleeps each time"
    assert of_the_processor < seconds / 2
