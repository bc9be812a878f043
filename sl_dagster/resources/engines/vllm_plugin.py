"""What this project changes in vLLM itself, as a plugin that every process of vLLM loads.

Whether a text goes round in circles, vLLM finds out after each token by a loop of Python over all
lengths that a pattern may have: 28 microseconds (bench/repetition.py). At the 12,000 tokens a
second that it wrote with SmolLM2-135M on an H100, that is a third of the scheduler's time.

What is changed on CPUs only is in ``vllm_cpu``.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any


def change_vllm() -> None:
    """Make all changes, as far as this version of vLLM has what they change."""
    from vllm.platforms import current_platform  # pyright: ignore[reportMissingImports]
    from vllm.v1.core.sched import utils  # pyright: ignore[reportMissingImports]

    _replace(utils, check_sequence_repetition=ends_with_a_repetition)
    if current_platform.is_cpu():
        _change_for_cpus()


def _change_for_cpus() -> None:
    from vllm.distributed.device_communicators import (  # pyright: ignore[reportMissingImports]
        shm_broadcast,
    )
    from vllm.lora.ops.torch_ops import lora_ops  # pyright: ignore[reportMissingImports]
    from vllm.lora.punica_wrapper import punica_cpu  # pyright: ignore[reportMissingImports]
    from vllm.v1.engine import utils as engine_processes  # pyright: ignore[reportMissingImports]
    from vllm.v1.sample.ops import topk_topp_sampler  # pyright: ignore[reportMissingImports]

    from sl_dagster.resources.engines import vllm_cpu

    _replace(shm_broadcast, sched_yield=vllm_cpu.sleep)
    _replace(engine_processes, get_mp_context=vllm_cpu.forks)
    of_all = getattr(topk_topp_sampler, "apply_top_k_top_p_pytorch", None)
    _replace(topk_topp_sampler, apply_top_k_top_p_pytorch=partial(vllm_cpu.likeliest, of_all))
    for module in (lora_ops, punica_cpu):
        _replace(
            module,
            bgmv_shrink=vllm_cpu.shrink,
            bgmv_expand=vllm_cpu.expand,
            bgmv_expand_slice=vllm_cpu.expand_slice,
        )


def _replace(module: Any, **functions: Any) -> None:
    for name, function in functions.items():
        if hasattr(module, name):
            setattr(module, name, function)


def ends_with_a_repetition(token_ids: Sequence[int], params: Any) -> bool:
    """What vLLM's ``check_sequence_repetition`` says, in a twentieth of the time.

    Args:
        token_ids: what has been written so far; a slice of it must be a list.
        params: vLLM's ``RepetitionDetectionParams``.
    """
    count, length = params.min_count, len(token_ids)
    least = max(1, params.min_pattern_size)
    most = min(params.max_pattern_size, length // count) if count > 1 else 0
    if most < least:
        return False
    # What is repeated ends with the last token each time. That is rare, and a list knows it fast.
    last, before = token_ids[-1], token_ids[length - 1 - most : length - least]
    if last not in before:
        return False
    for size in range(least, most + 1):
        if token_ids[-1 - size] == last:
            end = token_ids[length - size * count :]
            if end == end[-size:] * count:
                return True
    return False
