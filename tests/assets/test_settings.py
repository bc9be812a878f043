"""Each stage depends on the settings that it names in ``reads``, and on no others."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sl_dagster.assets import assets_of
from sl_dagster.assets.stage.made_once import MadeOnce
from sl_dagster.experiment import Experiment
from sl_dagster.experiment.base import Settings
from sl_dagster.resources.storage.stored_stage import StoredStage
from tests.assets.stand_ins import PROMPTS, StandIns, experiment_with_files, keys

EVERYTHING: dict[str, Any] = {
    "training": {"num_processes": 2},  # which a launcher needs
    "aligned_model": {"training": {"num_processes": 2}},
    "iterations": 1,
    "heldout": {"file": "heldout.jsonl"},
    "judge": {"model": "some/judge"},
    "benchmarks": {"longen": {"queries": "longen.jsonl"}},
    "dataset": {"collect": 3},
}
EXPERIMENTS: dict[str, dict[str, Any]] = {
    "self_lengthen": EVERYTHING | {"extension": {"rounds": 2}},
    "plan_then_write": EVERYTHING | {"method": "plan_then_write"},
    "back_translation": EVERYTHING
    | {
        "method": "back_translation",
        "documents": "documents.jsonl",
        "seeds": ...,
        "dataset": {"collect": 0},
    },
}
# What stands before everything; every result depends on it.
ALWAYS = {"base_model", "revision", "seed", "system_prompt", "chat_template_kwargs"}
# What decides which results there are.
ASSETS = {"name", "method", "iterations", "extension.rounds"}
# Another value of each setting, by the last part of its name; of files, see ``other_files``.
OTHER: dict[str, Any] = {
    "alpha": 8,
    "base_model": "other/model",
    "batch_size": 3,
    "chat_template_kwargs": {"enable_thinking": False},
    "checkpoints": 3,
    "collect": 2,
    "control": "other",
    "count": 9,
    "description": "Another one.",
    "dropout": 0.3,
    "engine": {"type": "vllm"},
    "epochs": 3,
    "evaluation_split": 0.3,
    "gradient_accumulation": 3,
    "gradient_checkpointing": True,
    "growth": 1.5,
    "judge_threshold": 0.5,
    "languages": ["en", "zh"],
    "launcher": ["true"],
    "learning_rate": 0.5,
    "length_selection": False,
    "limit": 1,
    "line_dropout": 0.3,
    "long_words": 9,
    "max_length": 99,
    "max_sections": 9,
    "max_similarity": 0.3,
    "max_tokens": 99,
    "max_tokens_per_input_word": 3.0,
    "max_words": 7000,
    "method": "full",  # of the aligned model
    "min_words": 9,
    "model": "other/judge",
    "new_prefixes": False,
    "num_processes": 1,
    "owners": ["team:other"],
    "packing": True,
    "pool": "growing",
    "precision": "fp32",
    "preset": "reference",
    "quantization": "4bit",
    "rank": 8,
    "repetition_penalty": 1.3,
    "report_to": ["wandb"],
    "retry_grown": True,
    "revision": "other",
    "roundings": [10, 20],
    "samples": 9,
    "scale": 0.5,
    "scheduler": "linear",
    "seed": 9,
    "stop": ["END"],
    "system_prompt": "You write.",
    "target_modules": ["q_proj"],
    "temperature": 0.3,
    "top_k": 9,
    "top_p": 0.3,
    "tries": 9,
    "validation_split": 0.3,
    "warmup_ratio": 0.3,
}


LINES = {
    "seeds": {"instruction": "{}", "language": "{}"},
    "heldout": {"instruction": "{}", "language": "{}"},
    "documents": {"text": "{}", "language": "{}"},
    "longen": {
        "query": "{} 2000 words", "constraint": "2000 words", "type": "about",
        "language": "{}", "range": "2-4k",
    },
}  # fmt: skip


def lines(kind: str, *languages: str) -> str:
    """A file with a line in each of these languages."""
    return "".join(
        json.dumps(LINES[kind]).replace('"language": "{}"', f'"language": "{one}"')
        .replace("{}", f"Write {place}.") + "\n"
        for place, one in enumerate(languages)
    )  # fmt: skip


def written_files(folder: Path) -> dict[str, Any]:
    """Files for an experiment in two languages, and other ones by the settings that name them."""
    for kind in LINES:
        (folder / f"{kind}.jsonl").write_text(lines(kind, "en", "en", "zh"))
        (folder / f"other_{kind}.jsonl").write_text(lines(kind, "en", "zh"))
    (folder / "accelerate.yaml").write_text("num_machines: 1\n")
    for name, prompt in PROMPTS.items():
        other = ["maybe", "no"] if name == "judge_answers" else f"{prompt}, please"
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(PROMPTS | {name: other}))
    return {
        "seeds": [str(folder / "other_seeds.jsonl")],
        "documents": [str(folder / "other_documents.jsonl")],
        "heldout.file": str(folder / "other_heldout.jsonl"),
        "benchmarks.longen.queries": str(folder / "other_longen.jsonl"),
        "training.accelerate_config": str(folder / "accelerate.yaml"),
        "aligned_model.training.accelerate_config": str(folder / "accelerate.yaml"),
        **{f"prompts.{name}": {"en": str(folder / f"{name}.yaml")} for name in PROMPTS},
    }


def settings_of(group: Settings, path: str = "") -> Iterator[str]:
    """The names of all settings, such as ``extension.sampling.top_p``."""
    for name in type(group).model_fields:
        value = getattr(group, name)
        if name == "engine":
            yield path + name
        elif isinstance(value, Settings):
            yield from settings_of(value, f"{path}{name}.")
        elif isinstance(value, dict) and name == "benchmarks":
            for key, one in value.items():
                yield from settings_of(one, f"{path}{name}.{key}.")
        elif name == "prompts":
            yield from (f"prompts.{prompt}" for prompt in PROMPTS)
        else:
            yield path + name


def with_other(experiment: Experiment, setting: str, value: Any) -> Experiment:
    """The experiment with another value of one setting."""
    *sections, name = setting.split(".")
    changes: dict[str, Any] = {name: value}
    if sections == ["prompts"]:
        sections, changes = [], {"prompts": value}
    for section in reversed(sections):
        changes = {section: changes}
    return experiment.changed(changes)


def covers(entry: str, setting: str) -> bool:
    """Whether a setting is one of those that an entry of ``reads`` stands for."""
    if setting == entry or setting.startswith(f"{entry}."):
        return True
    if entry == "heldout.sampling" and covers("initial_responses.sampling", setting):
        return True
    if entry.endswith(".sampling") and covers("sampling", setting):
        return True
    return entry.startswith("prompts.") and setting == "languages"


@pytest.mark.parametrize("method", EXPERIMENTS)
def test_a_result_depends_on_the_settings_that_it_reads_and_on_no_others(
    method: str, write_experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StoredStage, "content_hash", property(lambda stage: str(stage.key)))
    experiment = experiment_with_files(write_experiment, **EXPERIMENTS[method])
    files = written_files(tmp_path / "experiments")
    stand_ins = StandIns(experiment, tmp_path / "data")
    before = stand_ins.fingerprints(experiment)
    refused = {"dataset.collect"} if method == "back_translation" else {"documents"}
    settings = set(settings_of(experiment)) - ASSETS - refused
    depends: dict[str, set[str]] = {name: set() for name in before}
    for setting in settings:
        value = files.get(setting, OTHER.get(setting.rpartition(".")[2]))
        assert value is not None, f"say above what other value {setting} may have"
        changed = stand_ins.fingerprints(with_other(experiment, setting, value))
        for name in before:
            if changed[name] != before[name]:
                depends[name].add(setting)
    for asset in assets_of(experiment):
        if isinstance(asset, MadeOnce):
            check(asset, depends[str(keys(asset)[0])], settings)


def check(asset: MadeOnce, depends: set[str], settings: set[str]) -> None:
    """Compare what an asset reads with the settings that its fingerprint depends on."""
    assert depends >= ALWAYS, asset.name
    reads = asset.reads or ()
    assert {
        setting
        for setting in depends - ALWAYS
        if not any(covers(entry, setting) for entry in reads)
    } == set(), f"{asset.name} depends on what it does not read"
    for entry in reads:
        named = {one for one in settings if one == entry or one.startswith(f"{entry}.")}
        # Of a section that is named as a whole not everything need count.
        idle = named - depends if "." in entry or named == {entry} else not named & depends
        assert not idle, f"{asset.name} reads {entry}, and does not depend on it: {idle}"
