"""What an adapter changes, tried on the real engine."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from sl_dagster.jobs.launch import failure_of
from sl_dagster.resources.adapters import WEIGHTS_FILE, adapter_fingerprint
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_key import StageKey
from tests.assets.checks.evaluating import WARN, evaluated, executed
from tests.assets.conftest import Project


@pytest.mark.integration
def test_an_adapter_without_effect_is_noticed(project: Project) -> None:
    """Weights that are all zero load, and change nothing."""
    store, key = AdapterStore(data_dir=str(project.data)), StageKey("small", "generator_lora", 1)
    stored = store.read(key)
    folder = Path(str(stored.adapter.path))
    weights = load_file(folder / WEIGHTS_FILE)
    save_file({name: 0 * values for name, values in weights.items()}, folder / WEIGHTS_FILE)
    (folder / "trial.json").unlink()
    new = folder.parent / adapter_fingerprint(folder)
    folder.rename(new)
    changed = replace(stored.adapter, fingerprint=new.name, path=str(new))
    store.make_current(key, replace(stored, adapter=changed))
    arguments = (project.experiment, project.data, "changes_output", "generator_lora")
    evaluation = evaluated(*arguments)
    assert (evaluation.passed, evaluation.severity) == (False, WARN)
    assert evaluation.description == "0 of 4 greedy answers differ from the base model's"
    remembered = json.loads((new / "trial.json").read_text())
    assert (remembered["changed"], remembered["tokens"]) == (0, 256), "few tokens may not tell"
    (new / WEIGHTS_FILE).write_bytes(b"")
    result = executed(*arguments)
    assert not result.success
    assert "it is damaged or was replaced" in failure_of(result)
