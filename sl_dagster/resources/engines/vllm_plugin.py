"""What this project changes in vLLM itself, as a plugin that every process of vLLM loads.

While vLLM's processes wait for one another they look at shared memory again and again, and only
sleep when a second has passed. On a CPU that is the time of those that compute: on two cores one is
lost, and a run beside it goes at half its speed. So there they sleep for a moment each time.

Whether a text goes round in circles, vLLM finds out after each token by a loop of Python over all
lengths that a pattern may have: 28 microseconds (bench/repetition.py). At the 12,000 tokens a
second that it wrote with SmolLM2-135M on an H100, that is a third of the scheduler's time.
"""

import time
from collections.abc import Sequence
from typing import Any

# Far less than a step of any model takes, and long enough to take next to no processor time.
_SECONDS = 0.0005


def change_vllm() -> None:
    """Make both changes, as far as this version of vLLM has what they change."""
    from vllm.distributed.device_communicators import (  # pyright: ignore[reportMissingImports]
        shm_broadcast,
    )
    from vllm.platforms import current_platform  # pyright: ignore[reportMissingImports]
    from vllm.v1.core.sched import utils  # pyright: ignore[reportMissingImports]

    if current_platform.is_cpu() and hasattr(shm_broadcast, "sched_yield"):
        shm_broadcast.sched_yield = _sleep  # pyright: ignore[reportPrivateImportUsage]
    if hasattr(utils, "check_sequence_repetition"):
        utils.check_sequence_repetition = ends_with_a_repetition


def _sleep() -> None:
    time.sleep(_SECONDS)


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
