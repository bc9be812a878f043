"""Models and adapters that have just been saved."""

import shutil
from pathlib import Path


def let_others_read(folder: Path) -> None:
    """Let everybody read a folder's weights who may read the rest of it.

    safetensors writes files that nobody but their owner may read, whatever the umask says, and
    whoever shares a data folder would make them again.

    Args:
        folder: what ``save_pretrained`` has written.
    """
    like_all = next(folder.glob("*config.json"))
    for weights in folder.glob("*.safetensors"):
        shutil.copymode(like_all, weights)
