"""Handing a trained role on: its adapter, or the model with the adapter merged into it.

What is written is an ordinary model or PEFT folder that needs nothing of this project.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sl_dagster.adapters import CONFIG_FILE, WEIGHTS_FILE, Role
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.resources.adapter_store import AdapterStore, StoredAdapter
from sl_dagster.resources.stage_store import StageKey


@dataclass(frozen=True)
class Export:
    """What to hand on.

    Attributes:
        experiment: whose model.
        iteration: the iteration that trained it.
        role: which of the two.
        merged: the whole model instead of the adapter.
        out: the folder to make.
    """

    experiment: Experiment
    iteration: int
    role: Role
    merged: bool
    out: Path


def export_model(export: Export, store: AdapterStore) -> None:
    """Write the adapter or the merged model, with the tokenizer and a README of facts.

    The folder appears when it is complete.

    Raises:
        UserError: there is no such adapter, it or the base model cannot be read, or the folder
            holds something already or cannot be written.
    """
    _check_free(export.out)
    key = StageKey(export.experiment.name, f"{export.role}_lora", export.iteration)
    stored = store.read(key)
    stored.adapter.verified()
    unfinished = export.out.with_name(f".{export.out.name}.unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        _write(export, stored, unfinished)
        (unfinished / "README.md").write_text(_readme(export, stored), encoding="utf-8")
        unfinished.replace(export.out)
    except OSError as error:
        raise UserError(f"--out {export.out}: cannot be written: {error}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _check_free(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        raise UserError(f"--out {folder}: there is something already: name a folder that is new")


def _write(export: Export, stored: StoredAdapter, folder: Path) -> None:
    # Imported late: it takes seconds.
    from transformers import AutoTokenizer

    path = Path(str(stored.adapter.path))
    name, revision = export.experiment.base_model, export.experiment.revision
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
        model = _merged(name, revision, path) if export.merged else None
    except (OSError, ValueError) as error:
        raise UserError(f"base_model: {name} cannot be loaded: {error}") from error
    tokenizer.save_pretrained(str(folder))
    if model is not None:
        model.save_pretrained(str(folder))
    else:
        for file in (WEIGHTS_FILE, CONFIG_FILE):
            shutil.copyfile(path / file, folder / file)


def _merged(name: str, revision: str, adapter: Path) -> Any:
    """The base model in its own precision, its weights changed by what the adapter has learnt."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(name, revision=revision, dtype="auto")
    adapted: Any = PeftModel.from_pretrained(model, str(adapter))
    return adapted.merge_and_unload()


def _readme(export: Export, stored: StoredAdapter) -> str:
    experiment, outcome = export.experiment, stored.outcome
    what = "Model with the adapter merged in" if export.merged else "LoRA adapter"
    facts = {
        "Base model": f"{experiment.base_model} (revision {experiment.revision})",
        "Experiment": experiment.name,
        "Iteration": export.iteration,
        "Role": export.role,
        "Adapter's fingerprint": stored.adapter.fingerprint,
        "Made from": stored.made_from,
    }
    if experiment.system_prompt:
        facts["System prompt"] = experiment.system_prompt
    if experiment.chat_template_kwargs:
        facts["Chat template's variables"] = experiment.chat_template_kwargs
    if outcome:
        facts["Examples"] = outcome.examples
        facts["Last training loss"] = f"{outcome.losses[-1].loss:.4f}"
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    return (
        f"# {experiment.name}: {export.role} after iteration {export.iteration}\n\n"
        + (f"{what}, made by sl-dagster (Self-Lengthen, arXiv 2410.23933).\n\n" + "\n".join(lines))
        + "\n"
    )
