"""What others may read of an experiment's settings."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sl_dagster.experiment import load_experiment
from sl_dagster.experiment.public import experiment_yaml, shown


def test_secrets_stay_here(write_experiment: Callable[..., Path]) -> None:
    engine = {
        "type": "vllm",
        "environment": {"HF_TOKEN": "hush-1", "MY_PASSWORD": "hush-2", "PLAIN": "hush-3"},
        "options": {"hf-token": "hush-4", "max-num-seqs": 8},
    }
    said = experiment_yaml(load_experiment(write_experiment(engine=engine)))
    assert "hush" not in said
    for name in ("HF_TOKEN", "MY_PASSWORD", "PLAIN", "hf-token", "max-num-seqs: 8"):
        assert name in said


@pytest.mark.parametrize("text", ["/no_think Be long.", "/end/stop", "/", "//"])
def test_texts_that_begin_like_paths_are_texts(
    write_experiment: Callable[..., Path], text: str
) -> None:
    path = write_experiment(system_prompt=text, sampling={"stop": [text]})
    assert experiment_yaml(load_experiment(path)).count(text) >= 2


def test_of_files_and_folders_the_names_are_shown() -> None:
    settings = {
        "base_model": "/home/me/models/own",
        "judge": {"model": "/home/me/judge"},
        "launcher": ["srun", "/home/me/node.sh"],
        "seeds": [Path("/home/me/seeds.jsonl")],
    }
    assert shown(settings) == {
        "base_model": "own",
        "judge": {"model": "judge"},
        "launcher": ["srun", "node.sh"],
        "seeds": ["seeds.jsonl"],
    }
