"""The devices of this machine, as far as they can be known without importing torch."""

import os
import re
from pathlib import Path


def visible_gpus() -> int:
    """How many GPUs a program that is started here can see."""
    present = [
        path for path in Path("/dev").glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name)
    ]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return len(present)
    return min(len(present), len([name for name in visible.split(",") if name.strip()]))
