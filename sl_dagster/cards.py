"""Cards of published data sets and models: README files written from what is stored, and nothing
else.

What a card says and in which order belongs here; what is published, and how, is in publish.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sl_dagster import __version__
from sl_dagster.experiment import Experiment, Method
from sl_dagster.growth import GrowthRow
from sl_dagster.quality import QualityRow
from sl_dagster.resources.adapter_store import StoredAdapter
from sl_dagster.resources.stage_store import StoredStage

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
_NOT_REPRODUCED: Any = {"name": True, "engine": True, "control": True, "judge": {"engine"}}


@dataclass(frozen=True)
class Achievements:
    """What an experiment has achieved, as far as that has been measured.

    Attributes:
        growth: lengths of the held-out answers, by iteration.
        quality: what the judge thinks of them.
    """

    growth: Sequence[GrowthRow]
    quality: Sequence[QualityRow]


def dataset_card(
    repository: str,
    experiment: Experiment,
    stages: dict[str, list[StoredStage]],
    achieved: Achievements,
    licence: str | None,
) -> str:
    """The README of a data set.

    Args:
        repository: where it is published, ``owner/name``.
        experiment: what made it.
        stages: what it holds, by name; the first is shown first. The files of a stage are
            ``data/<name>/*.parquet``.
        achieved: what to tell of the experiment's results.
        licence: its identifier on the hub; None if none is given.
    """
    from huggingface_hub import DatasetCardData

    data = DatasetCardData(
        language=list(experiment.languages),
        license=licence,
        pretty_name=f"{experiment.name} ({experiment.method_title.partition(',')[0]})",
        task_categories=["text-generation"],
        tags=[*_TAGS, "synthetic"],
        configs=[
            {"config_name": name, "data_files": f"data/{name}/*.parquet", "default": not place}
            for place, name in enumerate(stages)
        ],
    )
    rows = [
        [name, stage.key.iteration or "", len(stage), stage.fingerprint]
        for name, several in stages.items()
        for stage in several
    ]
    return _card(
        data,
        f"# {experiment.name}: data made by {experiment.method_title.partition(',')[0]}",
        f"{_METHODS[experiment.method]} {_authors(experiment)}",
        "## What it holds\n\n"
        + _table(["subset", "iteration", "records", "fingerprint"], rows)
        + "\n\n```python\nfrom datasets import load_dataset\n\nload_dataset("
        f'"{repository}", "{next(iter(stages))}")\n```',
        *_results(achieved),
        _reproduction(experiment),
        _licence(licence, experiment),
    )


def model_card(
    experiment: Experiment,
    stored: StoredAdapter,
    achieved: Achievements,
    licence: str | None,
    *,
    merged: bool,
    dataset: str | None,
) -> str:
    """The README of a model.

    Args:
        experiment: what made it.
        stored: the adapter, with how it was trained.
        achieved: what to tell of the experiment's results.
        licence: its identifier on the hub; None if none is given.
        merged: whether the weights are those of the whole model.
        dataset: the repository that its data is published in.
    """
    from huggingface_hub import ModelCardData

    data = ModelCardData(
        base_model=None if _is_local(experiment) else experiment.base_model,
        datasets=[dataset] if dataset else None,
        language=list(experiment.languages),
        library_name="transformers" if merged else "peft",
        license=licence,
        pipeline_tag="text-generation",
        tags=_TAGS,
    )
    facts = {
        "weights": "the base model with the adapter merged in" if merged else "LoRA adapter",
        "base model": f"{public_base_model(experiment)}, revision {experiment.revision}",
        "role": stored.adapter.role,
        "iteration": stored.adapter.iteration,
        "adapter's fingerprint": stored.adapter.fingerprint,
    }
    outcome = stored.outcome
    if outcome:
        facts |= {
            "training examples": outcome.examples,
            "training tokens": outcome.tokens,
            "optimiser steps": outcome.steps,
            "last training loss": f"{outcome.losses[-1].loss:.4f}" if outcome.losses else "",
        }
    if experiment.system_prompt:
        facts["system prompt"] = experiment.system_prompt
    return _card(
        data,
        f"# {experiment.name}: {stored.adapter.role} after iteration {stored.adapter.iteration}",
        _METHODS[experiment.method],
        "## Facts\n\n" + _table(["", ""], [[name, value] for name, value in facts.items()]),
        *_results(achieved),
        _reproduction(experiment),
        _licence(licence, experiment),
    )


def public_base_model(experiment: Experiment) -> str:
    """The base model's name as others may read it: a local folder's path says nothing to them."""
    return Path(experiment.base_model).name if _is_local(experiment) else experiment.base_model


def _is_local(experiment: Experiment) -> bool:
    return Path(experiment.base_model).is_dir()


def _card(data: Any, *sections: str) -> str:
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(sections) + "\n"


def _results(achieved: Achievements) -> list[str]:
    sections = []
    if achieved.growth:
        rows = [
            [
                row.iteration or "0 (base model)",
                round(row.scores.mean_words, 1),
                round(row.scores.median_words, 1),
                f"{row.scores.accepted:.0%}",
            ]
            for row in achieved.growth
        ]
        sections.append(
            "## Growth\n\nLengths of the Generator's answers to "
            f"{achieved.growth[0].scores.answers} held-out instructions, which no training has "
            "seen. *Accepted*: the share that passes the response filter.\n\n"
            f"![growth over the iterations]({GROWTH_PLOT})\n\n"
            + _table(["iteration", "mean words", "median words", "accepted"], rows)
        )
    if achieved.quality:
        judge, names = achieved.quality[0].judge, list(achieved.quality[0].scores)
        rows = [
            [
                row.model,
                row.answers,
                *(f"{s.mean:.2f} ({s.low:.2f} to {s.high:.2f})" for s in row.scores.values()),
            ]
            for row in achieved.quality
        ]
        sections.append(
            f"## Quality\n\nScores from 1 to 10 by the judge {_shown(judge['model'])} (revision "
            f"{judge['revision']}, prompt version {judge['prompt_version']}), with bootstrap "
            "confidence intervals (95 %).\n\n" + _table(["model", "answers", *names], rows)
        )
    return sections


def _reproduction(experiment: Experiment) -> str:
    settings = _shown(experiment.model_dump(exclude_unset=True, exclude=_NOT_REPRODUCED))
    return (
        f"## How to reproduce\n\nWith sl-dagster {__version__}, this experiment file (the files "
        f"that it names lie beside it), saved as `experiments/{experiment.name}.yaml`:\n\n"
        f"```yaml\n{yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)}```\n\n"
        f"```console\n$ sl-dagster run --experiment {experiment.name}\n```"
    )


def _licence(licence: str | None, experiment: Experiment) -> str:
    given = licence or "none has been chosen"
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


def _shown(value: Any) -> Any:
    """Settings as others may read them: of files and folders here, the names alone."""
    if isinstance(value, dict):
        return {key: _shown(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(one) for one in value]
    if isinstance(value, Path):
        return value.name
    return Path(value).name if isinstance(value, str) and value.startswith("/") else value


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: Any) -> str:
    return " ".join(str(value).replace("|", "\\|").split())
