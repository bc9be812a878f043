"""The README of the aligned model: the facts of the run that made it, and nothing else."""

from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sl_dagster.experiment import Experiment
from sl_dagster.growth import growth_table
from sl_dagster.resources.adapter_store import StoredAdapter
from sl_dagster.resources.stage_store import StageKey, StageStore
from sl_dagster.training.job import TrainingOutcome

MODEL_CARD = "README.md"
_LIBRARIES = ("sl-dagster", "torch", "transformers", "trl", "peft", "accelerate")


def write_model_card(experiment: Experiment, stored: StoredAdapter, stages: StageStore) -> None:
    """Write the README into the folder of an aligned model that has just been trained.

    Args:
        experiment: whose model.
        stored: the weights, with what the training reported.
        stages: where the data set stands that it was trained on.
    """
    assert stored.adapter.path
    text = model_card(experiment, stored, stages)
    (Path(stored.adapter.path) / MODEL_CARD).write_text(text, encoding="utf-8")


def model_card(experiment: Experiment, stored: StoredAdapter, stages: StageStore) -> str:
    """The README as Markdown, with the metadata that the Hugging Face hub reads."""
    outcome = stored.outcome
    assert outcome
    sections = [
        _front_matter(experiment, stored),
        f"# {experiment.name}: aligned model\n",
        f"Made by sl-dagster ({experiment.method_title}): the base model, fine-tuned on "
        f"{_what_it_learned(experiment)}.\n",
        _list(_model_facts(experiment, stored)),
        "## Data\n",
        _list(_data_facts(experiment, stages)),
        "## Training\n",
        _list(_training_facts(experiment, outcome)),
        *_growth_section(experiment, stages),
        "## Versions\n",
        _list({name: version(name) for name in _LIBRARIES}),
    ]
    return "\n".join(sections)


def _what_it_learned(experiment: Experiment) -> str:
    if experiment.documents:
        return "documents, as answers to instructions that it has made up for them"
    return "what it has written itself over the iterations of the loop"


def _front_matter(experiment: Experiment, stored: StoredAdapter) -> str:
    lines = ["---", "tags: [self-lengthen, long-form-generation]"]
    lines += [f"language: [{', '.join(experiment.languages)}]"]
    lines += [f"library_name: {'transformers' if stored.adapter.is_whole_model else 'peft'}"]
    if not Path(experiment.base_model).is_dir():
        lines.append(f"base_model: {experiment.base_model}")
    return "\n".join([*lines, "---", ""])


def _model_facts(experiment: Experiment, stored: StoredAdapter) -> dict[str, Any]:
    whole = stored.adapter.is_whole_model
    facts: dict[str, Any] = {
        "Base model": f"{experiment.base_model} (revision {experiment.revision})",
        "Weights": "all, fine-tuned" if whole else "LoRA adapter",
        "Fingerprint": stored.adapter.fingerprint,
        "Made from": stored.made_from,
    }
    if experiment.system_prompt:
        facts["System prompt"] = experiment.system_prompt
    if experiment.chat_template_kwargs:
        facts["Chat template's variables"] = experiment.chat_template_kwargs
    return facts


def _data_facts(experiment: Experiment, stages: StageStore) -> dict[str, Any]:
    dataset = stages.read(StageKey(experiment.name, "dataset", None))
    woven = stages.read(StageKey(experiment.name, "length_controlled", None))
    iterations = sorted(set(dataset.column("source_iteration")) - {0})
    sides = Counter(dataset.column("split"))
    words = dataset.column("words")
    facts: dict[str, Any] = {
        "Experiment": experiment.name,
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


def _training_facts(experiment: Experiment, outcome: TrainingOutcome) -> dict[str, Any]:
    training = experiment.aligned_training
    facts: dict[str, Any] = {"Method": experiment.aligned_model.method}
    if experiment.aligned_model.method == "lora":
        facts["LoRA"] = f"rank {training.lora.rank}, alpha {training.lora.alpha}"
    facts |= {
        "Learning rate": f"{training.learning_rate:g} ({training.scheduler})",
        "Epochs": f"{training.epochs:g}",
        "Batch size": f"{training.batch_size} x {training.gradient_accumulation} accumulated",
        "Longest example allowed, in tokens": training.max_length,
        "Examples": f"{outcome.examples} ({outcome.truncated} cut, {outcome.left_out} left out)",
        "Steps": outcome.steps,
        "Tokens": outcome.tokens,
        "Seconds": f"{outcome.seconds:.0f}",
        "Training loss": f"{outcome.losses[0].loss:.4f} to {outcome.losses[-1].loss:.4f}",
    }
    if outcome.evaluation_losses:
        first, last = outcome.evaluation_losses[0].loss, outcome.evaluation_losses[-1].loss
        pairs = f"{outcome.evaluation_examples} pairs"
        facts["Validation loss"] = f"{first:.4f} to {last:.4f} ({pairs})"
    return facts


def _growth_section(experiment: Experiment, stages: StageStore) -> list[str]:
    """How the Generator's answers to held-out instructions have grown, if that was measured."""
    rows = growth_table(experiment, stages)
    if not rows:
        return []
    lines = ["| iteration | mean words | x before |", "|---|---:|---:|"]
    for row in rows:
        ratio = f"{row.ratio:.2f}" if row.ratio else ""
        lines.append(f"| {row.iteration or '0 (base)'} | {row.scores.mean_words:.1f} | {ratio} |")
    title = f"## Growth of the Generator on {rows[0].scores.answers} held-out instructions\n"
    return [title, "\n".join(lines) + "\n"]


def _list(facts: dict[str, Any]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in facts.items()) + "\n"
