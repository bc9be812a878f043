"""Fingerprints stay: what an earlier commit has stored is not made again for nothing.

``fingerprints.json`` holds the fingerprint of every stage of small experiments, as commit c1a9638
computed it. Where a stage's records really become others, its code version is raised, and its
fingerprints are replaced by what the failing test prints. Stages stand alone here: what one of them
makes is no part of the others' fingerprints.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import yaml
from safetensors.numpy import save_file

from sl_dagster.method.quality import DIMENSIONS
from sl_dagster.resources.adapters import CONFIG_FILE, WEIGHTS_FILE
from sl_dagster.resources.engines import Request
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_store import StoredStage
from sl_dagster.resources.trainer import Trainer
from sl_dagster.training.job import TrainingJob, TrainingOutcome
from tests.assets.scripted import ScriptedProject
from tests.conftest import OUTCOME

GOLDEN = Path(__file__).parent / "fingerprints.json"

PROMPTS = {
    "self_instruct": "instruct|",
    "self_instruct_turn": "1. {first}\n2. {second}\n3. ",
    "self_instruct_stop": "4.",
    "judge": "judge|{instruction}",
    "judge_answers": ["yes", "no"],
    "weave": "weave|{instruction}|{constraint}",
    "extend": "extend|{instruction}|{response}",
    "plan": "plan|{instruction}",
    "section": "section|{instruction}|{plan}|{text}|{section}",
    "back_translate": "back|{text}",
}
PLACES = ("bridge", "harbour", "mill", "station", "lighthouse", "market", "library", "orchard")
PLAN = "1. the bridge (40 words)\n2. the storm (60 words)"


def line(place: str, number: int) -> str:
    return f"On day {number} the keeper of the old {place} told {number} long stories."


def answer(request: Request) -> str:
    """What the model says to every prompt, so that the loop goes on."""
    task, *rest = request.message["content"].split("|")
    number = request.seed % 100_000
    if request.json_schema:
        return json.dumps(dict.fromkeys(DIMENSIONS, 7))
    if task in ("instruct", "back"):
        place, other = PLACES[number % len(PLACES)], PLACES[number // 8 % len(PLACES)]
        return f"Write a story about the {place} of {number} people who never saw the {other}."
    if task == "judge":
        return "yes"
    if task == "weave":
        return f"{rest[0]} It has {rest[1]}."
    if task == "plan":
        return PLAN
    lines = 2 * rest[1].count("\n") + 9 if task == "extend" else 3 + number % 5
    return "\n".join(line("mill", number + k) for k in range(lines))


def trained(self: Trainer, context: Any, job: TrainingJob) -> TrainingOutcome:
    """Instead of a training: weights that nobody has trained."""
    config = {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj"]}
    (job.output / CONFIG_FILE).write_text(json.dumps(config))
    save_file({"weights": numpy.zeros(1, "float32")}, job.output / WEIGHTS_FILE)
    return OUTCOME


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


def scripted(name: str, write_experiment: Callable[..., Path], monkeypatch) -> ScriptedProject:
    """The experiment with its files, and with a training that trains nothing."""
    path = write_experiment()
    folder = path.parent
    (folder / "en.yaml").write_text(yaml.safe_dump(PROMPTS))
    (folder / "heldout.jsonl").write_text(
        '{"instruction": "Write about the red door.", "language": "en", "mentions": ["door"]}\n'
        '{"instruction": "Write about a late train.", "language": "en"}\n'
    )
    (folder / "longen.jsonl").write_text(
        '{"query": "Write a story of about 2000 words.", "constraint": "about 2000 words", '
        '"type": "about", "language": "en", "range": "2-4k"}\n'
    )
    documents = [
        " ".join(line(place, number) for number in range(4 + 3 * k))
        for k, place in enumerate(PLACES)
    ]
    (folder / "documents.jsonl").write_text(
        "\n".join(json.dumps({"text": text}) for text in documents)
    )
    path = write_experiment(**{"prompts": {"en": "en.yaml"}, **EXPERIMENTS[name]})
    monkeypatch.setattr(Trainer, "train", trained)
    return ScriptedProject(path, folder.parent / "data", monkeypatch)


def make_everything(project: ScriptedProject) -> None:
    """Every stage of every iteration, then what is made of all of it."""
    experiment = project.experiment
    heldout, roles = experiment.heldout is not None, experiment.roles
    outside = [experiment.source_stage, *(["heldout_base"] if heldout else [])]
    project.make(*outside, answer=answer)
    for iteration in range(1, experiment.iterations + 1):
        stages = [
            *(f"previous_{role}" for role in roles),
            "instructions",
            *experiment.writing_stages,
            "extended_responses",
            *(f"{role}_sft" for role in roles),
            *(f"{role}_lora" for role in roles),
            *(["heldout_responses"] if heldout else []),
        ]
        project.make(*stages, answer=answer, iteration=iteration)
    collected = ["more_instructions", "more_responses"] if experiment.dataset.collect else []
    final = [*collected, "dataset", "length_controlled", "aligned_sft", "aligned_model"]
    project.make(*final, answer=answer)
    for model in experiment.models if experiment.benchmarks else ():
        judging = ["quality_scores"] if experiment.judge else []
        project.make("longen_scores", *judging, answer=answer, iteration=model)


def fingerprints(project: ScriptedProject) -> dict[str, str]:
    """The fingerprint of every stored stage and adapter."""
    stages = {str(key): project.stages.read(key).fingerprint for key in project.stages.complete()}
    adapters = AdapterStore(data_dir=str(project.data))
    keys = adapters.complete(project.experiment.name)
    return stages | {str(key): adapters.read(key).made_from for key in keys}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_fingerprints_are_those_of_before(name: str, write_experiment, monkeypatch) -> None:
    project = scripted(name, write_experiment, monkeypatch)
    monkeypatch.setattr(StoredStage, "content_hash", property(lambda stage: str(stage.key)))
    make_everything(project)
    found = fingerprints(project)
    expected = json.loads(GOLDEN.read_text())[name]
    assert found == expected, json.dumps(found, indent=2)
