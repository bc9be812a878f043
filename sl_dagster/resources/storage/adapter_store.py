"""Stored adapters: a folder per fingerprint, and a file that says which one is current.

``<data>/<experiment>/<role>_lora/iteration=<i>/adapter.json`` (or ``aligned_model/adapter.json``,
whose folder may hold a whole model) names the current adapter's folder
beside it; replacing that small file is what makes a new adapter appear, whole or not at all.
"""

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import dagster as dg

from sl_dagster import durable
from sl_dagster.disk_errors import (
    damage_explained,
    damage_passed_over,
    disk_errors_explained,
    is_there,
)
from sl_dagster.errors import UserError
from sl_dagster.resources.adapters import Adapter, AnyRole, adapter_fingerprint
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.training.job import CHECKPOINTS, TrainingOutcome

_POINTER = "adapter.json"
_TRIAL = "trial.json"
_WORKPLACE = ".training"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredAdapter:
    """An adapter and how it was made.

    Attributes:
        adapter: the weights.
        training_fingerprint: digest of training set, settings and previous adapter.
        outcome: what the training reported; None for one that was only taken over.
        overrides: the settings with which it was launched, where not the experiment's.
        facts: what else a card tells of it, by heading (see ``model_facts.py``).
    """

    adapter: Adapter
    training_fingerprint: str
    outcome: TrainingOutcome | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)


class AdapterStore(dg.ConfigurableResource):
    """All stored adapters under one data folder.

    Attributes:
        data_dir: the data folder.
    """

    data_dir: str

    def workplace(self, key: StageKey, training_fingerprint: str) -> Path:
        """The folder in which a training writes its adapter.

        It still holds what an equal training left that was killed, and is empty otherwise.

        Raises:
            UserError: the disk is full, or nothing can be written there.
        """
        folder = self._workplace(key, training_fingerprint)
        with disk_errors_explained(f"{key}: cannot write {folder}"):
            for other in folder.parent.glob(f"{_WORKPLACE}*"):
                if other != folder:
                    shutil.rmtree(other)
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def has(self, key: StageKey) -> bool:
        """Whether there is a current adapter."""
        return is_there(self._folder(key) / _POINTER)

    def complete(self, experiment: str) -> list[StageKey]:
        """All roles and iterations of an experiment that have a current adapter."""
        root = Path(self.data_dir)
        found = [*root.glob(f"{experiment}/*/{_POINTER}")]
        found += root.glob(f"{experiment}/*/iteration=*/{_POINTER}")
        keys = [StageKey.at(path.parent.relative_to(root)) for path in sorted(found)]
        return [key for key in keys if key]

    def read(self, key: StageKey) -> StoredAdapter:
        """The current adapter of a role and iteration.

        Raises:
            UserError: there is none, or its description is damaged.
        """
        pointer = self._folder(key) / _POINTER
        if not self.has(key):
            raise UserError(f"{key} has not been made yet (no {pointer}): materialize it first")
        with damage_explained(pointer, f"materialize {key} again"):
            content: dict[str, Any] = json.loads(pointer.read_text(encoding="utf-8"))
            outcome, path = content["outcome"], content["adapter"]["path"]
            adapter = Adapter(**content["adapter"])
            return StoredAdapter(
                replace(adapter, path=path and str(Path(self.data_dir) / path)),
                content["made_from"],
                outcome and TrainingOutcome.model_validate(outcome),
                content.get("overrides", {}),
                content.get("facts", {}),
            )

    def find(
        self, key: StageKey, training_fingerprint: str, warn: Callable[[str], object] = _log.warning
    ) -> StoredAdapter | None:
        """The current adapter, if it was made from this and its files are whole.

        Args:
            key: what is looked for.
            training_fingerprint: digest of all that it is to be made from.
            warn: is told what is damaged.

        Raises:
            OutOfReachError: it cannot be read, which does not say that it is not.
        """
        if self.has(key):
            with damage_passed_over(warn):
                stored = self.read(key)
                if stored.training_fingerprint == training_fingerprint:
                    stored.adapter.verified()
                    return stored
        return None

    def adopt(
        self, key: StageKey, role: AnyRole, training_fingerprint: str, outcome: TrainingOutcome
    ) -> StoredAdapter:
        """Take over what a training wrote into its workplace; ``make_current`` puts it in place."""
        workplace = self._workplace(key, training_fingerprint)
        fingerprint = adapter_fingerprint(workplace)
        shutil.rmtree(workplace / CHECKPOINTS, ignore_errors=True)
        folder = self._folder(key) / fingerprint
        adapter = Adapter(role, fingerprint, str(folder), key.iteration or 0)
        try:
            # The same weights once more: the current ones must not be gone for a moment.
            adapter.verified()
            shutil.rmtree(workplace)
        except UserError:
            shutil.rmtree(folder, ignore_errors=True)
            durable.replace(workplace, folder)
        return StoredAdapter(adapter, training_fingerprint, outcome)

    def make_current(self, key: StageKey, stored: StoredAdapter) -> None:
        """Make an adapter the current one, and remove those that it replaces."""
        folder = self._folder(key)
        folder.mkdir(parents=True, exist_ok=True)
        path = stored.adapter.path
        # Relative to the data folder, which can then be moved.
        relative = path and str(Path(path).relative_to(self.data_dir))
        content = {
            "adapter": asdict(stored.adapter) | {"path": relative},
            "made_from": stored.training_fingerprint,
            "outcome": stored.outcome and stored.outcome.model_dump(),
            "overrides": stored.overrides,
            "facts": stored.facts,
        }
        new = folder / f".{_POINTER}"
        new.write_text(json.dumps(content, indent=2), encoding="utf-8")
        durable.replace(new, folder / _POINTER)
        for old in folder.iterdir():
            if old.is_dir() and str(old) != stored.adapter.path:
                shutil.rmtree(old)

    def trial(self, adapter: Adapter) -> dict[str, Any] | None:
        """What a trial of these weights has shown, if there was one."""
        try:
            return json.loads(self._trial_file(adapter).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def remember_trial(self, adapter: Adapter, shown: dict[str, Any]) -> None:
        """Keep what a trial has shown beside the weights, for as long as they are there."""
        self._trial_file(adapter).write_text(json.dumps(shown, indent=2), encoding="utf-8")

    @staticmethod
    def _trial_file(adapter: Adapter) -> Path:
        assert adapter.path, "the bare base model needs no trial"
        return Path(adapter.path) / _TRIAL

    def _workplace(self, key: StageKey, training_fingerprint: str) -> Path:
        return self._folder(key) / f"{_WORKPLACE}-{training_fingerprint}"

    def _folder(self, key: StageKey) -> Path:
        return Path(self.data_dir) / key.folder
