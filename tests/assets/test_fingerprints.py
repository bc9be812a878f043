"""Fingerprints stay: what an earlier commit has stored is not made again for nothing.

``fingerprints.json`` holds the fingerprint of every stage of small experiments, as commit c1a9638
computed it. Where a stage's records really become others, its code version is raised, and its
fingerprints are replaced by what the failing test prints. Stages stand alone here: what one of them
makes is no part of the others' fingerprints.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from sl_dagster.resources.storage.stored_stage import StoredStage
from tests.assets.stand_ins import StandIns, experiment_with_files

GOLDEN = Path(__file__).parent / "fingerprints.json"

WHOLE: dict[str, Any] = {
    "iterations": 2,
    "heldout": {"file": "heldout.jsonl", "sampling": {"temperature": 0}},
    "instructions": {
        "count": 12,
        "max_similarity": 1,
        "pool": "growing",
        "sampling": {"max_tokens": 99},
    },
    "initial_responses": {"samples": 3, "tries": 2},
    "extension": {"rounds": 2, "samples": 2, "max_tokens_per_input_word": 3.5, "growth": 1.1},
    "dataset": {"collect": 6, "validation_split": 0.4},
    "length_control": {"min_words": 20, "max_words": 8000, "roundings": [10, 20]},
    "benchmarks": {"longen": {"queries": "longen.jsonl", "scale": 0.1}},
    "judge": {"model": "some/judge", "samples": 2},
    "aligned_model": {"training": {"epochs": 2}},
    "training": {"lora": {"rank": 2}},
}
EXPERIMENTS: dict[str, dict[str, Any]] = {
    "self_lengthen": WHOLE,
    # The same with other values wherever a stage behaves differently.
    "self_lengthen_otherwise": {
        **WHOLE,
        "iterations": 1,
        "seed": 5,
        "revision": "v2",
        "instructions": {"count": 5, "tries": 3, "max_similarity": 0.95},
        "extension": {"rounds": 1, "samples": 1, "tries": 2, "line_dropout": 0.5},
        "length_selection": False,
        "filter": {"preset": "reference"},
        "sampling": {"temperature": 0.5, "stop": ["END"]},
        "system_prompt": "You write.",
        "chat_template_kwargs": {"enable_thinking": False},
        "dataset": {"collect": 0},
        "aligned_model": {"method": "lora", "training": {"seed": 3}},
        "judge": ...,
    },
    "plan_then_write": {
        "iterations": 1,
        "method": "plan_then_write",
        "instructions": {"count": 6, "max_similarity": 1},
        "plan_then_write": {"samples": 2, "sampling": {"top_p": 0.9}},
        "length_control": {"min_words": 20, "max_words": 8000, "roundings": [10, 20]},
    },
    "back_translation": {
        "iterations": 2,
        "method": "back_translation",
        "documents": "documents.jsonl",
        "seeds": ...,
        "instructions": {"count": 6, "max_similarity": 1},
        "heldout": {"file": "heldout.jsonl"},
        "length_control": {"min_words": 20, "max_words": 8000, "roundings": [10, 20]},
    },
}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_fingerprints_are_those_of_before(
    name: str, write_experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StoredStage, "content_hash", property(lambda stage: str(stage.key)))
    experiment = experiment_with_files(write_experiment, **EXPERIMENTS[name])
    found = StandIns(experiment, tmp_path / "data").fingerprints(experiment)
    expected = json.loads(GOLDEN.read_text())[name]
    assert found == expected, json.dumps(found, indent=2)
