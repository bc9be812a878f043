"""The ways in which the small experiment is run."""

from dataclasses import dataclass, field
from typing import Any

from sl_dagster.paths import PROJECT_ROOT
from tests.assets.conftest import DEMO

SETTINGS: dict[str, Any] = {
    "base_model": str(DEMO / "model"),
    "prompts": {"en": str(DEMO / "prompts.yaml")},
    "seeds": str(PROJECT_ROOT / "seeds" / "demo.jsonl"),
    "iterations": 2,
    "sampling": {"temperature": 0.8, "top_p": 0.95, "top_k": 50, "repetition_penalty": 1.0},
    "instructions": {"count": 6, "max_similarity": 1, "sampling": {"max_tokens": 60}},
    "initial_responses": {"samples": 1, "tries": 2, "sampling": {"max_tokens": 160}},
    "extension": {"rounds": 1, "samples": 1, "growth": 1.0, "max_tokens_per_input_word": 3.0},
    "length_selection": False,
    "training": {"learning_rate": 2.0e-3, "epochs": 6, "batch_size": 2},
    # Small batches, so that a stage takes a while and its journal grows step by step.
    "engine": {"type": "transformers", "batch_size": 2},
}
VLLM = {
    "type": "vllm",
    "environment": {"VLLM_CPU_KVCACHE_SPACE": "1"},
    "options": {
        "dtype": "float32",
        "max_model_len": 1024,
        "max_num_seqs": 2,
        "enforce_eager": True,
        # A worker of its own, as with several GPUs.
        "distributed_executor_backend": "mp",
    },
    "while_training": "keep",
}
TWO_RANKS = {
    "compute_environment": "LOCAL_MACHINE",
    "distributed_type": "MULTI_GPU",  # over gloo: accelerate calls it so on CPUs, too
    "use_cpu": True,
    "mixed_precision": "no",
    "num_machines": 1,
    "num_processes": 2,
    "main_process_port": 0,
}


@dataclass(frozen=True)
class Way:
    """A way to run the experiment.

    Attributes:
        share: of all kills.
        victims: whom it has besides those that all have.
        settings: what it changes in the experiment file.
        through_web_ui: launched there, and not on the command line.
    """

    share: int
    victims: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    through_web_ui: bool = False


WAYS = {
    "transformers": Way(5, ("training", "training's fork server")),
    "two ranks": Way(
        2,
        ("training's launcher", "rank 0", "rank 1"),
        {"training": SETTINGS["training"] | {"accelerate_config": "../two_ranks.yaml"}},
    ),
    "vllm": Way(
        3, ("vLLM's guard", "vLLM's server", "vLLM's engine", "vLLM's worker"), {"engine": VLLM}
    ),
    "web UI": Way(
        2, ("web UI", "webserver", "daemon", "code server", "training"), through_web_ui=True
    ),
}
