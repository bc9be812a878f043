"""What the processes that a run starts are told of its environment: no secrets but their own."""

import os
import re
from collections.abc import Sequence

from sl_dagster.experiment.engines import KEY_VARIABLES

# Anywhere in a name: PGPASSWORD, OPENAI_APIKEY and API_TOKENS hold secrets, too.
_SECRET = re.compile(
    r"KEY|TOKEN|PASSW|PASSPHRASE|(^|_)PASS(_|$)|PWD|SECRET|CREDENTIAL|(^|_)CREDS(_|$)",
    re.IGNORECASE,
)
# What looks like that, and is none: folders, and settings of tokenizers, keyboards and vLLM.
_NONE = re.compile(
    r"^(OLD)?PWD$|^TOKENIZERS?_|TIKTOKEN|FASTOKENS|TOKENS_PER_|TOKEN_THRESHOLD|"
    r"(?<![A-Z])(MAX|MIN|NUM|TOTAL)_TOKENS|KEYBOARD|KEYMAP|MONKEY",
    re.IGNORECASE,
)
# With these, models and data sets are loaded.
_FOR_MODELS = ("HF_", "HUGGING_FACE_", "HUGGINGFACE_", "AWS_", "AZURE_", "GOOGLE_")


def secrets(kept: Sequence[str] = ()) -> list[str]:
    """Names of this process's variables that hold secrets which a child does not need.

    Args:
        kept: how the names of those begin that it needs, beside what loads models.
    """
    needed = (*_FOR_MODELS, *kept)
    return [
        name
        for name in os.environ
        if (_SECRET.search(_NONE.sub("", name)) or name in KEY_VARIABLES)
        and not name.startswith(needed)
    ]


def environment_without_secrets() -> dict[str, str]:
    """The environment for a child; see ``secrets``."""
    hidden = secrets()
    return {name: value for name, value in os.environ.items() if name not in hidden}
