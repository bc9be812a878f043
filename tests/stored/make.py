"""Makes a small project with data and Dagster's history, to be read by later versions.

    python -m tests.stored.make tests/stored/COMMIT.tar.xz

Run it with the sources of the commit that is to be kept (``git worktree add``, and the checkout's
folder in ``PYTHONPATH``), in a folder of no meaning, because the history names it. What it holds:
iteration 1 of ``small`` as it was finished, and iteration 2 as a kill has left it, with a journal
of ``initial_responses``. Rules that follow the paper's code to the letter are chosen where there is
a choice, so that what is stored stays up to date when the project's own rules get better.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import yaml

import sl_dagster

PROJECT = Path(sl_dagster.__file__).parent.parent
DEMO = PROJECT / "sl_dagster" / "demo"
SETTINGS = {
    "base_model": str(DEMO / "model"),
    "prompts": {"en": str(DEMO / "prompts.yaml")},
    "seeds": str(PROJECT / "seeds" / "demo.jsonl"),
    "heldout": {"file": "heldout.jsonl"},
    "iterations": 2,
    "filter": {"preset": "reference"},
    "sampling": {
        "temperature": 0.8,
        "top_p": 0.95,
        "top_k": 50,
        "repetition_penalty": 1.0,
        "stop": ["\n\n\n", "---"],
    },
    "instructions": {"count": 10, "max_similarity": 1, "sampling": {"max_tokens": 60}},
    "initial_responses": {"samples": 2, "tries": 2, "sampling": {"max_tokens": 300}},
    "extension": {"rounds": 1, "samples": 1, "tries": 2, "max_tokens_per_input_word": 4.0},
    "training": {
        "learning_rate": 2.0e-3,
        "epochs": 1,
        "batch_size": 8,
        "lora": {"rank": 2, "target_modules": ["q_proj"]},
    },
}
JOURNALLED = 4  # records of the stage in which the second iteration is killed


def make(root: Path) -> None:
    """Fill a folder that does not exist yet with the project."""
    (root / "experiments").mkdir(parents=True)
    (root / "home").mkdir()
    shutil.copy(PROJECT / "dagster.yaml", root / "home")
    heldout = (DEMO / "heldout.jsonl").read_text(encoding="utf-8").splitlines()[:4]
    (root / "experiments" / "heldout.jsonl").write_text("\n".join(heldout), encoding="utf-8")
    (root / "experiments" / "small.yaml").write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    command = [sys.executable, "-m", "sl_dagster.cli", "run", "-e", "small"]
    environment = os.environ | {
        "SL_DAGSTER_EXPERIMENTS": str(root / "experiments"),
        "SL_DAGSTER_DATA": str(root / "data"),
        "DAGSTER_HOME": str(root / "home"),
    }
    subprocess.run([*command, "--iterations", "1"], env=environment, check=True)
    stage = root / "data" / "small" / "initial_responses" / "iteration=2"
    with subprocess.Popen([*command, "--from", "2"], env=environment) as second:
        while sum(path.read_bytes().count(b"\n") for path in stage.glob("journal-*")) < JOURNALLED:
            assert second.poll() is None, "the second iteration ended too early"
            time.sleep(0.01)
        second.kill()


def main() -> None:
    """Make the project and pack it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    archive = parser.parse_args().archive
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "stored"
        make(root)
        with tarfile.open(archive, "w:xz") as packed:
            packed.add(root, "stored")


if __name__ == "__main__":
    main()
