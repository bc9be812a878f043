"""Memory that runs out while a model works: who says so, and that the user is told what to do."""

import errno
import re
import signal

from sl_dagster.errors import UserError

# PyTorch's, its libraries' and vLLM's own words; an error of a GPU says the first, too.
SAYS_SHORT_OF_MEMORY = re.compile(
    r"out of memory|OutOfMemory|can't allocate memory|cannot allocate memory|not enough memory"
    r"|bad_alloc|ALLOC_FAILED|can't start new thread|failed to map segment"
    r"|No available memory for the cache|Free memory on",
    re.IGNORECASE,
)


def is_short_of_memory(error: BaseException) -> bool:
    """Whether an error, or what it came from, says that there was no memory left."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or getattr(cause, "errno", None) == errno.ENOMEM:
            return True
        if not isinstance(cause, UserError) and SAYS_SHORT_OF_MEMORY.search(str(cause)):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def short_of_memory(remedy: str, error: BaseException) -> UserError:
    """The message that memory has run out.

    Args:
        remedy: which settings need less.
        error: what PyTorch or the system said.
    """
    said = " ".join(str(error).split())[:200] or type(error).__name__
    return UserError(f"there is too little memory ({said}): {remedy}")


def was_killed(status: int) -> bool:
    """Whether an exit status is that of SIGKILL, with which a system short of memory ends one."""
    return status in (-signal.SIGKILL, 128 + signal.SIGKILL)
