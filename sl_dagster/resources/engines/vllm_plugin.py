"""What this project changes in vLLM itself, as a plugin that every process of vLLM loads.

While vLLM's processes wait for one another they look at shared memory again and again, and only
sleep when a second has passed. On a CPU that is the time of those that compute: on two cores one is
lost, and a run beside it goes at half its speed. So there they sleep at once.
"""

import inspect


def sleep_while_waiting() -> None:
    """Let the processes of a CPU server sleep as soon as they wait; elsewhere nothing changes."""
    from vllm.distributed.device_communicators.shm_broadcast import SpinCondition
    from vllm.platforms import current_platform

    *others, spinning = inspect.signature(SpinCondition.__init__).parameters.values()
    # Another version of vLLM may wait in another way.
    if current_platform.is_cpu() and spinning.name == "busy_loop_s" and others:
        SpinCondition.__init__.__defaults__ = (0,)
