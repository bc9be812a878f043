"""The facts that a card tells of an aligned model, noted when it is trained.

Data set, settings and versions may have changed by the time the model is handed on, so they are
stored with its weights. How a card looks is in cards.py.
"""

from collections import Counter
from importlib.metadata import version
from typing import Any

from sl_dagster.experiment import Experiment
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore

_LIBRARIES = ("sl-dagster", "torch", "transformers", "trl", "peft", "accelerate")


def aligned_model_facts(experiment: Experiment, stages: StageStore) -> dict[str, dict[str, Any]]:
    """What the model is trained on, how, and with what.

    Args:
        experiment: whose model.
        stages: where the data set stands that it is trained on.

    Returns:
        Facts by name, in groups that a card has a heading for.
    """
    return {
        "Data": _data(experiment, stages),
        "Training": _training(experiment),
        "Versions": {name: version(name) for name in _LIBRARIES},
    }


def _data(experiment: Experiment, stages: StageStore) -> dict[str, Any]:
    dataset = stages.read(StageKey(experiment.name, "dataset", None))
    woven = stages.read(StageKey(experiment.name, "length_controlled", None))
    iterations = sorted(set(dataset.column("source_iteration")) - {0})
    sides = Counter(dataset.column("split"))
    words = dataset.column("words")
    facts: dict[str, Any] = {
        "Iterations": ", ".join(map(str, iterations)),
        "Pairs": f"{len(dataset)} (training {sides['train']}, validation {sides['validation']})",
        "Words per response": f"mean {sum(words) / len(words):.0f}, longest {max(words)}",
        "Queries with a length": _constraints(woven.column("constraint_type")),
    }
    for stage, count in sorted(Counter(dataset.column("source_stage")).items()):
        facts[f"From `{stage}`"] = count
    return facts


def _constraints(types: list[str]) -> str:
    counts = ", ".join(f"{name} {count}" for name, count in sorted(Counter(types).items()))
    return f"{len(types)} ({counts})" if types else "0"


def _training(experiment: Experiment) -> dict[str, Any]:
    training = experiment.aligned_training
    facts: dict[str, Any] = {"Method": experiment.aligned_model.method}
    if experiment.aligned_model.method == "lora":
        facts["LoRA"] = f"rank {training.lora.rank}, alpha {training.lora.alpha}"
    return facts | {
        "Learning rate": f"{training.learning_rate:g} ({training.scheduler})",
        "Epochs": f"{training.epochs:g}",
        "Batch size": f"{training.batch_size} x {training.gradient_accumulation} accumulated",
        "Longest example allowed, in tokens": training.max_length,
    }
