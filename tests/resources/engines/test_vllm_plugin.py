"""What is changed in vLLM gives what vLLM's own gives; how a CPU server's processes wait."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.resources.engines.vllm_options import is_cpu_build
from sl_dagster.resources.engines.vllm_plugin import ends_with_a_repetition
from tests.resources.engines.conftest import needs_vllm

# As each process of vLLM begins; what it was before is kept, to be compared.
_CHANGED = """
import json, os, random, time
from types import SimpleNamespace
os.environ["VLLM_PLUGINS"] = ""  # parts of vLLM load them when they are imported
import torch
from vllm import plugins
from vllm.lora.ops.torch_ops import lora_ops
from vllm.lora.punica_wrapper import punica_cpu
from vllm.sampling_params import RepetitionDetectionParams
from vllm.v1.core.sched import utils
from vllm.v1.engine import utils as engine_processes
from vllm.v1.executor import multiproc_executor
from vllm.v1.sample.ops import topk_topp_sampler
from vllm.v1.utils import ConstantList

def functions():
    return SimpleNamespace(
        repetition=utils.check_sequence_repetition,
        likeliest=topk_topp_sampler.apply_top_k_top_p_pytorch,
        shrink=punica_cpu.bgmv_shrink,
        expand=punica_cpu.bgmv_expand,
        expand_slice=punica_cpu.bgmv_expand_slice,
        of_prompts=lora_ops.bgmv_expand,
        starting=engine_processes.get_mp_context,
    )

theirs = functions()
del os.environ["VLLM_PLUGINS"]
plugins.plugins_loaded = False
plugins.load_general_plugins()
ours = functions()
print(json.dumps([name for name in vars(ours) if getattr(ours, name) is not getattr(theirs, name)]))
random.seed(1)
torch.manual_seed(1)
"""

# Texts of few tokens, which repeat themselves often.
_REPETITIONS = """
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
        expected = theirs.repetition(text, params)
        assert ours.repetition(ConstantList(text), params) == expected, (text, params)
        said[expected] += 1
assert min(said.values()) > 1_000, said
"""

# In bfloat16, as models give them, many tokens are as likely as others.
_SAMPLING = """
for step in range(40):
    logits = 3 * torch.randn(8, 5_000)
    if step % 2:
        logits = logits.bfloat16().float()
    k, p = torch.randint(1, 60, (8,)), 0.05 + 0.95 * torch.rand(8)
    if step % 5 == 4:
        k[3] = 5_000  # no limit
    expected = theirs.likeliest(logits.clone(), k, p, allow_cpu_sync=True)
    got = ours.likeliest(logits.clone(), k, p, allow_cpu_sync=True)
    # Which of those that are equally likely is dropped is open.
    same = torch.equal(got.sort(1).values, expected.sort(1).values) if step % 2 else torch.equal(
        got, expected
    )
    assert same, step
"""

_ADAPTERS = """
for tokens, adapters in ((1, 1), (8, 1), (8, 3), (300, 3)):
    indices = torch.randint(-1, adapters, (tokens,)) if adapters > 1 else torch.zeros(tokens).long()
    narrow, wide = torch.randn(adapters, 1, 16, 64), torch.randn(adapters, 1, 200, 16)
    states = torch.randn(tokens, 64)
    kept = {}
    for name, made in (("theirs", theirs), ("ours", ours)):
        low = torch.zeros(tokens, 16)
        made.shrink(states, narrow, low, indices, 0.5)
        kept[name] = [low]
        for add in (True, False):
            for width in (200, 230, 170):  # as it is, and with padding on either side
                out = torch.ones(tokens, width)
                made.expand(low, wide, out, indices, add_inputs=add)
                kept[name].append(out)
            out = torch.ones(tokens, 300)
            made.expand_slice(low, wide, out, indices, 50, 200, add)
            kept[name].append(out)
    torch.testing.assert_close(kept["ours"], kept["theirs"], rtol=1e-4, atol=1e-4)
"""

# The process that schedules; those that compute need threads that are bound when they begin.
_STARTING = """
assert engine_processes.get_mp_context().get_start_method() == "fork"
assert multiproc_executor.get_mp_context is theirs.starting
"""

# A reader that has just read waits a hundred times.
_WAITING = """
import zmq
from vllm.distributed.device_communicators.shm_broadcast import SpinCondition
reader = SpinCondition(True, zmq.Context(), "inproc://nobody")
reader.record_read()
start, used = time.monotonic(), time.process_time()
for _ in range(100):
    reader.wait()
print(json.dumps([time.monotonic() - start, time.process_time() - used]), flush=True)
os._exit(0)  # ZeroMQ does not like to be left otherwise
"""


@pytest.mark.integration
@needs_vllm
def test_vllm_answers_as_before_and_waits_asleep() -> None:
    """One program for all, since vLLM takes long to import."""
    program = _CHANGED + _REPETITIONS
    expected = ["repetition"]
    if is_cpu_build():
        program += _SAMPLING + _ADAPTERS + _STARTING + _WAITING
        expected += ["likeliest", "shrink", "expand", "expand_slice", "of_prompts", "starting"]
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    changed, *waited = map(json.loads, result.stdout.splitlines()[-1 - is_cpu_build() :])
    assert changed == expected, "this vLLM has other functions"
    assert len(waited) == is_cpu_build()
    for seconds, of_the_processor in waited:
        assert seconds > 0.04, "it sleeps each time"
        assert of_the_processor < seconds / 2


@given(
    before=st.lists(st.integers(0, 3), max_size=40),
    part=st.lists(st.integers(0, 3), min_size=4, max_size=12),
)
def test_what_is_said_four_times_is_a_repetition(before: list[int], part: list[int]) -> None:
    params = SimpleNamespace(min_pattern_size=4, max_pattern_size=12, min_count=4)
    assert ends_with_a_repetition(before + part * 4, params)
    assert not ends_with_a_repetition([*before, *part * 4, 9], params)
