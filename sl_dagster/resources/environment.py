"""What the processes that a run starts are told of its environment: no secrets but their own."""

import os
import re
from collections.abc import Sequence

_SECRET = re.compile(
    r"(^|_)(KEY|KEYS|TOKEN|PASSWORD|PASSWD|SECRET|CREDENTIALS)(_|$)", re.IGNORECASE
)
# With these, models and data sets are loaded.
_FOR_MODELS = ("HF_", "HUGGING_FACE_", "HUGGINGFACE_", "AWS_", "AZURE_", "GOOGLE_")


def secrets(kept: Sequence[str] = ()) -> list[str]:
    """Names of this process's variables that hold secrets which a child does not need.

    Args:
        kept: how the names of those begin that it needs, beside what loads models.
    """
    needed = (*_FOR_MODELS, *kept)
    return [name for name in os.environ if _SECRET.search(name) and not name.startswith(needed)]


def environment_without_secrets() -> dict[str, str]:
    """The environment for a child; see ``secrets``."""
    hidden = secrets()
    return {name: value for name, value in os.environ.items() if name not in hidden}
