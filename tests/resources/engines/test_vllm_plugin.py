"""What is changed in vLLM: how a CPU server's processes wait, and how repetitions are found."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.resources.engines.vllm_options import is_cpu_build
from sl_dagster.resources.engines.vllm_plugin import ends_with_a_repetition
from tests.resources.engines.conftest import needs_vllm

# As each process of vLLM begins. A reader that has just read waits a hundred times.
_WAITING = """
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

# Texts of few tokens, which repeat themselves often: vLLM's own function, and what it has become.
_REPEATING = """
import random
from vllm.v1.core.sched import utils
from vllm.sampling_params import RepetitionDetectionParams
from vllm.v1.utils import ConstantList
theirs = utils.check_sequence_repetition
from vllm.plugins import load_general_plugins
load_general_plugins()
ours = utils.check_sequence_repetition
assert ours is not theirs
random.seed(1)
said = {True: 0, False: 0}
for _ in range(20_000):
    part = [random.randrange(3) for _ in range(random.randint(1, 8))]
    text = [random.randrange(3) for _ in range(random.randrange(6))] + part * random.randrange(6)
    text += random.choices([0, 1, 2], k=random.randrange(2))
    least = random.randint(0, 6)
    params = RepetitionDetectionParams(
        max_pattern_size=least + random.randrange(8),
        min_pattern_size=least,
        min_count=random.randint(2, 5),
    )
    if text:
        expected = theirs(text, params)
        assert ours(ConstantList(text), params) == expected, (text, params)
        said[expected] += 1
assert min(said.values()) > 1_000, said
"""


def run(program: str) -> str:
    """Run a program, and give what it prints."""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.integration
@needs_vllm
@pytest.mark.skipif(not is_cpu_build(), reason="this vLLM is not the one for CPUs")
def test_processes_of_a_cpu_server_sleep_while_they_wait() -> None:
    seconds, of_the_processor = map(float, run(_WAITING).split()[-2:])
    assert seconds > 0.04, "it sleeps each time"
    assert of_the_processor < seconds / 2


@pytest.mark.integration
@needs_vllm
def test_repetitions_are_found_where_vllm_finds_them() -> None:
    run(_REPEATING)


@given(
    before=st.lists(st.integers(0, 3), max_size=40),
    part=st.lists(st.integers(0, 3), min_size=4, max_size=12),
)
def test_what_is_said_four_times_is_a_repetition(before: list[int], part: list[int]) -> None:
    params = SimpleNamespace(min_pattern_size=4, max_pattern_size=12, min_count=4)
    assert ends_with_a_repetition(before + part * 4, params)
    assert not ends_with_a_repetition([*before, *part * 4, 9], params)
