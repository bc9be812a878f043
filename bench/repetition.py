"""How long vLLM looks for repetitions after each token: its own function, and our plugin's.

A text of random tokens, read as vLLM's scheduler reads it, with the experiments' default
`repetition_detection`. Prints microseconds per token.

    python bench/repetition.py
"""

import json
import random
import time
from collections.abc import Callable
from typing import Any

from vllm.sampling_params import RepetitionDetectionParams  # pyright: ignore[reportMissingImports]
from vllm.v1.core.sched.utils import check_sequence_repetition  # pyright: ignore[reportMissingImports]
from vllm.v1.utils import ConstantList  # pyright: ignore[reportMissingImports]

from sl_dagster.experiment import RepetitionDetection
from sl_dagster.resources.engines.vllm_plugin import ends_with_a_repetition

TOKENS = 1000
CHECKS = 2000


def main() -> None:
    """Measure both."""
    random.seed(1)
    text = ConstantList([random.randrange(300) for _ in range(TOKENS)])
    params = RepetitionDetectionParams(**RepetitionDetection().model_dump())
    for name, check in (("vLLM's", check_sequence_repetition), ("ours", ends_with_a_repetition)):
        print(
            json.dumps({"check": name, "microseconds": round(microseconds(check, text, params), 1)})
        )


def microseconds(check: Callable[[Any, Any], bool], text: Any, params: Any) -> float:
    """Of one check, on average."""
    start = time.perf_counter()
    for _ in range(CHECKS):
        check(text, params)
    return (time.perf_counter() - start) / CHECKS * 1e6


if __name__ == "__main__":
    main()
