"""What this project changes in vLLM itself, as a plugin that every process of vLLM loads.

While vLLM's processes wait for one another they look at shared memory again and again, and only
sleep when a second has passed. On a CPU that is the time of those that compute: on two cores one is
lost, and a run beside it goes at half its speed. So there they sleep for a moment each time.
"""

import time

# Far less than a step of any model takes, and long enough to take next to no processor time.
_SECONDS = 0.0005


def sleep_while_waiting() -> None:
    """Let the processes of a CPU server sleep while they wait; elsewhere nothing changes."""
    from vllm.distributed.device_communicators import (  # pyright: ignore[reportMissingImports]
        shm_broadcast,
    )
    from vllm.platforms import current_platform  # pyright: ignore[reportMissingImports]

    # Another version of vLLM may wait in another way.
    if current_platform.is_cpu() and hasattr(shm_broadcast, "sched_yield"):
        shm_broadcast.sched_yield = _sleep  # pyright: ignore[reportPrivateImportUsage]


def _sleep() -> None:
    time.sleep(_SECONDS)
