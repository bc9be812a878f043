"""Handing a trained role on: its adapter, or the model with the adapter merged into it.

What is written is an ordinary model or PEFT folder that needs nothing of this project.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sl_dagster import durable
from sl_dagster.disk_errors import disk_errors_explained
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.models.base_model import load_model, load_tokenizer
from sl_dagster.models.saved import let_others_read
from sl_dagster.publishing.cards import CARD, model_card
from sl_dagster.resources.adapters import CONFIG_FILE, WEIGHTS_FILE, AnyRole, stage_of
from sl_dagster.resources.storage.adapter_store import AdapterStore, StoredAdapter
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.results.tables import achievements
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
        stored = write_model(export, store, folder)
        achieved = achievements(export.experiment, StageStore(data_dir=store.data_dir))
        card = model_card(export.experiment, stored, achieved, merged=export.merged)
        (folder / CARD).write_text(card, encoding="utf-8")


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
    out = out.absolute()
    unfinished = out.parent / f".{out.name}.unfinished"
    try:
        with disk_errors_explained(f"--out {out}: cannot be written"):
            _check_free(out)
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            yield unfinished
            durable.replace(unfinished, out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _check_free(folder: Path) -> None:
    if not folder.is_dir() or any(folder.iterdir()):
        if folder.exists() or folder.is_symlink():
            raise UserError(
                f"--out {folder}: there is something already: name a folder that is new"
            )
    elif folder.samefile(Path()):
        raise UserError(
            f"--out {folder}: is the current folder, which cannot be replaced: name a new one in "
            "it, such as ./out"
        )


def write_model(export: Export, store: AdapterStore, folder: Path) -> StoredAdapter:
    """Write the weights, with the tokenizer, into a folder.

    Args:
        export: which weights.
        store: where they are stored.
        folder: an empty folder.

    Returns:
        The weights as they are stored.

    Raises:
        UserError: there are no such weights, or they or the base model cannot be read.
    """
    stored = store.read(export.key)
    stored.adapter.verified()
    path = Path(str(stored.adapter.path))
    if stored.adapter.is_whole_model:
        for file in path.iterdir():
            if file.is_file() and file.name not in (CARD, JOB_FILE):
                shutil.copyfile(file, folder / file.name)
        return stored
    name, revision = export.experiment.base_model, export.experiment.revision
    tokenizer = load_tokenizer(name, revision)
    model = merged_model(name, revision, path) if export.merged else None
    tokenizer.save_pretrained(str(folder))
    if model is not None:
        model.save_pretrained(str(folder))
        let_others_read(folder)
    else:
        for file in (WEIGHTS_FILE, CONFIG_FILE):
            shutil.copyfile(path / file, folder / file)
    return stored


def merged_model(name: str, revision: str, adapter: Path) -> Any:
    """The base model in its own precision, its weights changed by what the adapter has learnt.

    Args:
        name, revision: the base model's.
        adapter: the adapter's folder.

    Raises:
        UserError: the base model cannot be loaded.
    """
    from peft import PeftModel  # late: it takes seconds

    model = load_model(name, revision, dtype="auto")
    adapted: Any = PeftModel.from_pretrained(model, str(adapter))
    _untie(adapted)
    return adapted.merge_and_unload()


def _untie(adapted: Any) -> None:
    """Give the head weights of its own where it shares the embedding's and either is adapted.

    Merged into shared weights, what one has learnt would change the other.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    model = adapted.get_base_model()
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    tuned = isinstance(embedding, BaseTunerLayer) or isinstance(head, BaseTunerLayer)
    if not tuned or embedding.weight is not head.weight:
        return
    layer: Any = head.get_base_layer() if isinstance(head, BaseTunerLayer) else head
    layer.weight = type(layer.weight)(layer.weight.detach().clone())
    for config in (model.config, model.config.get_text_config(decoder=True)):
        config.tie_word_embeddings = False
