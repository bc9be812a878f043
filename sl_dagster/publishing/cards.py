"""Cards of data sets and models: README files written from what is stored, and nothing else.

What a card says and in which order belongs here, for the hub and for folders alike; what is
published, and how, is in publish.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sl_dagster import __version__
from sl_dagster.experiment import Experiment, Method
from sl_dagster.experiment.public import experiment_yaml, is_local, public_base_model
from sl_dagster.resources.storage.adapter_store import StoredAdapter
from sl_dagster.resources.storage.stored_stage import StoredStage
from sl_dagster.results.table import Table
from sl_dagster.results.tables import (
    Achievements,
    growth_as_table,
    quality_as_tables,
    scores_as_tables,
)
from sl_dagster.training.job import TrainingOutcome

CARD = "README.md"
GROWTH_PLOT = "growth.png"

_TAGS = ["sl-dagster", "self-lengthen", "long-text-generation"]
_METHODS: dict[Method, str] = {
    "self_lengthen": (
        "Made by sl-dagster with the method *Self-Lengthen* "
        "([arXiv 2410.23933](https://arxiv.org/abs/2410.23933)): a language model learns to write "
        "long texts from nothing but its own answers."
    ),
    "plan_then_write": (
        "Made by sl-dagster with the baseline *plan-then-write* "
        "([arXiv 2408.07055](https://arxiv.org/abs/2408.07055)): a language model learns to write "
        "long texts from texts that it has planned and then written section by section."
    ),
    "back_translation": (
        "Made by sl-dagster with the baseline *instruction back-translation* "
        "([arXiv 2308.06259](https://arxiv.org/abs/2308.06259)): a language model learns to write "
        "long texts from documents, as answers to instructions that it has made up for them."
    ),
}
# Where an experiment runs and who watches it change nothing of what it makes.
_NOT_REPRODUCED: Any = {"engine": True, "control": True, "judge": {"engine"}}


@dataclass(frozen=True)
class OnTheHub:
    """What a card says on the hub only.

    Attributes:
        licence: its identifier there; None if none is given.
        dataset: the repository that a model's data is published in.
    """

    licence: str | None = None
    dataset: str | None = None


def dataset_card(
    repository: str,
    experiment: Experiment,
    stages: Mapping[str, Sequence[StoredStage]],
    splits: Mapping[str, Sequence[str]],
    achieved: Achievements,
    hub: OnTheHub,
) -> str:
    """The README of a data set.

    Args:
        repository: where it is published, ``owner/name``.
        experiment: what made it.
        stages: what it holds, by name; the first is shown first. The files of a stage are
            ``data/<name>/*.parquet``.
        splits: of stages that are split, the names of their files (``train.parquet``).
        achieved: what to tell of the experiment's results.
        hub: its licence.
    """
    from huggingface_hub import DatasetCardData

    data = DatasetCardData(
        language=list(experiment.languages),
        license=hub.licence,
        pretty_name=f"{experiment.name} ({experiment.method_title.partition(',')[0]})",
        task_categories=["text-generation"],
        tags=[*_TAGS, "synthetic"],
        configs=[
            {
                "config_name": name,
                "data_files": _data_files(name, splits.get(name, ())),
                "default": not place,
            }
            for place, name in enumerate(stages)
        ],
    )
    rows = [
        [name, str(stage.key.iteration or ""), str(len(stage)), stage.fingerprint]
        for name, several in stages.items()
        for stage in several
    ]
    return _card(
        data,
        f"# {experiment.name}: data made by {experiment.method_title.partition(',')[0]}",
        f"{_METHODS[experiment.method]} {_authors(experiment)}",
        "## What it holds\n\n"
        + _markdown(Table(["subset", "iteration", "records", "fingerprint"], rows))
        + "\n\n```python\nfrom datasets import load_dataset\n\nload_dataset("
        f'"{repository}", "{next(iter(stages))}")\n```',
        *_results(experiment, achieved, plot=True),
        _reproduction(experiment),
        _licence(hub, experiment),
    )


def _data_files(name: str, splits: Sequence[str]) -> str | list[dict[str, str]]:
    if not splits:
        return f"data/{name}/*.parquet"
    return [
        {"split": file.removesuffix(".parquet"), "path": f"data/{name}/{file}"} for file in splits
    ]


def model_card(
    experiment: Experiment,
    stored: StoredAdapter,
    achieved: Achievements,
    *,
    merged: bool = False,
    hub: OnTheHub | None = None,
) -> str:
    """The README of a model.

    Args:
        experiment: what made it.
        stored: the weights, with how they were trained.
        achieved: what to tell of the experiment's results.
        merged: whether the adapter has been merged into the base model.
        hub: what to say on the hub, where the growth's plot lies beside the card.
    """
    from huggingface_hub import ModelCardData

    whole = stored.adapter.is_whole_model
    data = ModelCardData(
        base_model=None if is_local(experiment) else experiment.base_model,
        datasets=[hub.dataset] if hub and hub.dataset else None,
        language=list(experiment.languages),
        library_name="transformers" if merged or whole else "peft",
        license=hub.licence if hub else None,
        pipeline_tag="text-generation",
        tags=_TAGS,
    )
    groups = {"Facts": _model_facts(experiment, stored, merged)} | stored.facts
    if stored.outcome:
        groups["Training"] = groups.get("Training", {}) | _outcome_facts(stored.outcome)
    role, iteration = stored.adapter.role, stored.adapter.iteration
    title = f"{role} after iteration {iteration}" if iteration else f"{role} model"
    return _card(
        data,
        f"# {experiment.name}: {title}",
        _METHODS[experiment.method],
        *(f"## {name}\n\n{_list(facts)}" for name, facts in groups.items()),
        *_results(experiment, achieved, plot=hub is not None),
        _reproduction(experiment),
        *([_licence(hub, experiment)] if hub else []),
    )


def _model_facts(experiment: Experiment, stored: StoredAdapter, merged: bool) -> dict[str, Any]:
    adapter = stored.adapter
    weights = "the base model with the adapter merged in" if merged else "LoRA adapter"
    facts: dict[str, Any] = {
        "Experiment": experiment.name,
        "Base model": f"{public_base_model(experiment)} (revision {experiment.revision})",
        "Role": adapter.role,
        **({"Iteration": adapter.iteration} if adapter.iteration else {}),
        "Weights": "all, fine-tuned" if adapter.is_whole_model else weights,
        "Fingerprint": adapter.fingerprint,
        "Made from": stored.training_fingerprint,
    }
    if experiment.system_prompt:
        facts["System prompt"] = experiment.system_prompt
    if experiment.chat_template_kwargs:
        facts["Chat template's variables"] = experiment.chat_template_kwargs
    return facts


def _outcome_facts(outcome: TrainingOutcome) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "Examples": f"{outcome.examples} ({outcome.truncated} cut, {outcome.left_out} left out)",
        "Steps": outcome.steps,
        "Tokens": outcome.tokens,
        "Seconds": f"{outcome.seconds:.0f}",
    }
    if outcome.losses:
        facts["Training loss"] = f"{outcome.losses[0].loss:.4f} to {outcome.losses[-1].loss:.4f}"
    if outcome.evaluation_losses:
        first, last = outcome.evaluation_losses[0].loss, outcome.evaluation_losses[-1].loss
        examples = f"{outcome.evaluation_examples} examples"
        facts["Validation loss"] = f"{first:.4f} to {last:.4f} ({examples})"
    return facts


def _card(data: Any, *sections: str) -> str:
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(sections) + "\n"


def _results(experiment: Experiment, achieved: Achievements, *, plot: bool) -> list[str]:
    sections = []
    if achieved.growth:
        picture = f"![growth over the iterations]({GROWTH_PLOT})\n\n" if plot else ""
        sections.append(
            "## Growth\n\nLengths of the Generator's answers to "
            f"{achieved.growth[0].scores.answers} held-out instructions, which no training has "
            "seen. *Accepted*: the share that passes the response filter. *Relevant*: the share "
            "that mentions everything the instruction names.\n\n"
            + picture
            + _markdown(growth_as_table(achieved.growth))
        )
    for title, tables in (
        ("Benchmarks", scores_as_tables(experiment, achieved.scores)),
        ("Quality", quality_as_tables(achieved.quality)),
    ):
        if tables:
            shown = (f"{table.caption}.\n\n{_markdown(table)}" for table in tables)
            sections.append("\n\n".join([f"## {title}", *shown]))
    return sections


def _reproduction(experiment: Experiment) -> str:
    return (
        f"## How to reproduce\n\nWith sl-dagster {__version__}, this experiment file (the files "
        f"that it names lie beside it), saved as `experiments/{experiment.name}.yaml`:\n\n"
        f"```yaml\n{experiment_yaml(experiment, _NOT_REPRODUCED)}```\n\n"
        f"```console\n$ sl-dagster run --experiment {experiment.name}\n```"
    )


def _licence(hub: OnTheHub, experiment: Experiment) -> str:
    given = hub.licence or "none has been chosen"
    text = (
        f"## Licence\n\nLicence: {given}. The texts were written by a model: the licence of "
        f"`{public_base_model(experiment)}` may say more about their use."
    )
    if experiment.documents:
        text = (
            f"## Licence\n\nLicence: {given}. The licences of the documents, and that of "
            f"`{public_base_model(experiment)}`, may say more about their use."
        )
    return text


def _authors(experiment: Experiment) -> str:
    """Who has written the texts."""
    model = f"`{public_base_model(experiment)}`"
    if experiment.documents:
        return f"The long texts are given documents; {model} wrote the instructions to them."
    return f"Every text was written by {model} or by a model fine-tuned from it."


def _list(facts: Mapping[str, Any]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _markdown(table: Table) -> str:
    lines = [table.head, ["---"] * len(table.head), *table.rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: str) -> str:
    return " ".join(value.replace("|", "\\|").split())
