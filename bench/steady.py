"""Whether a run of many iterations stays small: memory, open files, threads, processes.

One `sl-dagster run` makes small iterations of the miniature model, each from the adapters of the
one before, until the time is over. Prints after each of them what the run and its children have.

    python bench/steady.py                             # an hour
    python bench/steady.py --minutes 10
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from sl_dagster.paths import PROJECT_ROOT

NAME = "steady"
DEMO = PROJECT_ROOT / "sl_dagster" / "demo"
SETTINGS = {
    "base_model": str(DEMO / "model"),
    "prompts": {"en": str(DEMO / "prompts.yaml")},
    "seeds": str(PROJECT_ROOT / "seeds" / "demo.jsonl"),
    "iterations": 1000,
    "sampling": {"temperature": 0.8, "top_p": 0.95, "top_k": 50, "repetition_penalty": 1.0},
    "instructions": {"count": 4, "max_similarity": 1, "sampling": {"max_tokens": 60}},
    "initial_responses": {"samples": 1, "tries": 2, "sampling": {"max_tokens": 100}},
    "extension": {"rounds": 1, "samples": 1, "growth": 1.0, "max_tokens_per_input_word": 2.0},
    "length_selection": False,
    "training": {"learning_rate": 1.0e-4, "epochs": 1, "batch_size": 4, "checkpoints": 1},
}


def main() -> None:
    """Run, and look at the run after each iteration."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "experiments").mkdir()
        (folder / "experiments" / f"{NAME}.yaml").write_text(json.dumps(SETTINGS))
        with (folder / "output.txt").open("wb") as output:
            run = subprocess.Popen(
                [sys.executable, "-m", "sl_dagster.cli", "run", "-e", NAME],
                env=os.environ
                | {
                    "SL_DAGSTER_EXPERIMENTS": str(folder / "experiments"),
                    "SL_DAGSTER_DATA": str(folder / "data"),
                    "DAGSTER_HOME": str(folder / "home"),
                },
                stdout=output,
                stderr=output,
            )
        watch(run, folder / "data" / NAME, time.monotonic() + 60 * arguments.minutes)
        if run.poll() is not None:
            sys.exit(f"the run has failed:\n{(folder / 'output.txt').read_text()[-3000:]}")
        run.send_signal(signal.SIGINT)
        run.wait()


def watch(run: subprocess.Popen[bytes], data: Path, end: float) -> None:
    """Print what the run has after each iteration, until the end or its own."""
    done, start = 0, time.monotonic()
    while time.monotonic() < end and run.poll() is None:
        time.sleep(0.5)
        iterations = len(list(data.glob("extender_lora/iteration=*/adapter.json")))
        if iterations > done:
            done = iterations
            minutes = round((time.monotonic() - start) / 60, 1)
            print(json.dumps({"iterations": done, "minutes": minutes} | used(run.pid)), flush=True)


def used(pid: int) -> dict[str, int]:
    """What a process and those that it has started have at the moment."""
    process = psutil.Process(pid)
    children = process.children(recursive=True)
    resident = 0
    for child in children:
        with contextlib.suppress(psutil.Error):
            resident += child.memory_info().rss
    return {
        "mib": process.memory_info().rss >> 20,
        "open_files": process.num_fds(),
        "threads": process.num_threads(),
        "children": len(children),
        "childrens_mib": resident >> 20,
    }


if __name__ == "__main__":
    main()
