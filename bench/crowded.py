"""How much a stage suffers from a training beside it, by how long threads spin before they sleep.

One iteration of a small experiment on the miniature model is made first. Then its
`initial_responses` are made anew, alone and beside a training of the same experiment that would go
on for long: with the waiting that PyTorch's threads have by themselves (they spin), with that which
the package asks for (they spin for 1,000 turns), and without any spinning. Prints tokens/s of the
stage in each of the six cases.

    python bench/crowded.py                            # 40 instructions

`OMP_NUM_THREADS` must not be 1: one thread has no others to wait for.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore

NAME = "crowded"
BUSY = "crowded_training"
# What the OpenMP library does when it is told nothing: this many turns before a thread sleeps.
SPINNING = {"GOMP_SPINCOUNT": "300000"}
BRIEFLY: dict[str, str] = {}
SLEEPING = {"OMP_WAIT_POLICY": "PASSIVE"}
OURS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


def main() -> None:
    """Measure the cases and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instructions", type=int, default=40)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        experiments = Path(folder) / "experiments"
        experiments.mkdir()
        demo = PROJECT_ROOT / "sl_dagster" / "demo"
        settings = {
            "base_model": str(demo / "model"),
            "prompts": {"en": str(demo / "prompts.yaml")},
            "seeds": str(PROJECT_ROOT / "seeds" / "demo.jsonl"),
            "iterations": 1,
            "sampling": {"temperature": 1.0, "repetition_penalty": 1.03, "max_tokens": 1200},
            "instructions": {
                "count": arguments.instructions,
                "max_similarity": 1,
                "sampling": {"max_tokens": 60},
            },
            "initial_responses": {"samples": 1, "tries": 4},
            "extension": {"rounds": 1, "samples": 1, "max_tokens_per_input_word": 4.5},
            "training": {"learning_rate": 2.0e-3, "epochs": 1, "batch_size": 4},
        }
        for name in (NAME, BUSY):
            (experiments / f"{name}.yaml").write_text(json.dumps(settings))
            run(Path(folder), BRIEFLY, "-e", name, "--iterations", "1")
        ways = {"spin": SPINNING, "spin briefly": BRIEFLY, "sleep": SLEEPING}
        for how, variables in ways.items():
            alone = tokens_per_second(Path(folder), variables)
            with training(Path(folder), variables):
                crowded = tokens_per_second(Path(folder), variables)
            figures = {"threads": how, "alone": alone, "beside a training": crowded}
            print(json.dumps(figures), flush=True)


def tokens_per_second(folder: Path, variables: dict[str, str]) -> float:
    """Make the stage anew, and say how fast that was."""
    run(
        folder, variables, "-e", NAME, "--iterations", "1", "--only", "initial_responses", "--force"
    )
    stages = StageStore(data_dir=str(folder / "data"))
    return stages.read(StageKey(NAME, "initial_responses", 1)).manifest["tokens_per_second"]


@contextmanager
def training(folder: Path, variables: dict[str, str]) -> Iterator[None]:
    """A training of the other experiment, from its first step on."""
    only = ["-e", BUSY, "--iterations", "1", "--only", "generator_lora", "--force"]
    endless = ["--set", "training.epochs=1000"]
    process = subprocess.Popen(
        command(*only, *endless),
        env=environment(folder, variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    for line in process.stdout:
        if "step " in line and "loss" in line:
            break
    else:
        sys.exit("the training ended before its first step")
    try:
        yield
        if process.poll() is not None:
            sys.exit("the training ended before the stage that it was to disturb")
    finally:
        process.terminate()
        process.stdout.read()
        process.wait()


def run(folder: Path, variables: dict[str, str], *arguments: str) -> None:
    """Run the command line to its end."""
    done = subprocess.run(
        command(*arguments), env=environment(folder, variables), capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}")


def command(*arguments: str) -> list[str]:
    """A command line of `sl-dagster run`."""
    return [sys.executable, "-m", "sl_dagster.cli", "run", *arguments]


def environment(folder: Path, variables: dict[str, str]) -> dict[str, str]:
    """This process's, with folders of their own and these variables."""
    # Importing the package has said how threads wait; here that must be said anew.
    inherited = {name: os.environ[name] for name in os.environ if name not in OURS}
    return (
        inherited
        | variables
        | {
            "SL_DAGSTER_EXPERIMENTS": str(folder / "experiments"),
            "SL_DAGSTER_DATA": str(folder / "data"),
            "DAGSTER_HOME": str(folder / "home"),
        }
    )


if __name__ == "__main__":
    main()
