"""Handing a trained role on: its adapter, or the model with the adapter merged into it.

What is written is an ordinary model or PEFT folder that needs nothing of this project.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sl_dagster.adapters import CONFIG_FILE, WEIGHTS_FILE, AnyRole, stage_of
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.model_card import MODEL_CARD
from sl_dagster.resources.adapter_store import AdapterStore, StoredAdapter
from sl_dagster.resources.stage_store import StageKey
from sl_dagster.training.job import JOB_FILE


@dataclass(frozen=True)
class Export:
    """What to hand on.

    Attributes:
        experiment: whose model.
        iteration: the iteration that trained it; None for the aligned model.
        role: which of the two, or ``aligned``.
        merged: the whole model instead of the adapter.
        out: the folder to make.
    """

    experiment: Experiment
    iteration: int | None
    role: AnyRole
    merged: bool
    out: Path

    @property
    def key(self) -> StageKey:
        """Where the weights are stored."""
        return StageKey(self.experiment.name, stage_of(self.role), self.iteration)


def export_model(export: Export, store: AdapterStore) -> None:
    """Write the adapter or the merged model, with the tokenizer and a README of facts.

    The folder appears when it is complete. An aligned model all of whose weights were trained is
    written as it is.

    Raises:
        UserError: there is no such adapter, it or the base model cannot be read, or the folder
            holds something already or cannot be written.
    """
    with new_folder(export.out) as folder:
        stored = store.read(export.key)
        stored.adapter.verified()
        _write(export, stored, folder)
        (folder / MODEL_CARD).write_text(_readme(export, stored), encoding="utf-8")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Write a folder that appears under its name when the block ends, and not at all if it fails.

    Args:
        out: the folder to make, from the option ``--out``.

    Returns:
        The folder to write into meanwhile.

    Raises:
        UserError: there is something in it already, or it cannot be written.
    """
    _check_free(out)
    unfinished = out.with_name(f".{out.name}.unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        yield unfinished
        unfinished.replace(out)
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written: {error}") from error
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
    if stored.adapter.is_whole_model:
        for file in path.iterdir():
            if file.is_file() and file.name != JOB_FILE:
                shutil.copyfile(file, folder / file.name)
        return
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
    if export.role == "aligned":
        return (Path(str(stored.adapter.path)) / MODEL_CARD).read_text(encoding="utf-8")
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
        + (f"{what}, made by sl-dagster ({experiment.method_title}).\n\n" + "\n".join(lines))
        + "\n"
    )
