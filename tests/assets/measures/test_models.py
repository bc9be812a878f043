"""Where the weights behind a model's name are found."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sl_dagster.assets.measures.models import model_named, models_made
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment, load_experiment
from sl_dagster.resources.adapters import CONFIG_FILE, WEIGHTS_FILE, Adapter, adapter_fingerprint
from sl_dagster.resources.storage.adapter_store import AdapterStore, StoredAdapter
from sl_dagster.resources.storage.stage_key import StageKey


@pytest.fixture
def experiment(write_experiment: Callable[..., Path]) -> Experiment:
    return load_experiment(write_experiment())


def trained(adapters: AdapterStore, key: StageKey) -> Adapter:
    """An adapter of weights of its own, published under this key."""
    folder = Path(adapters.data_dir) / key.folder / "weights"
    folder.mkdir(parents=True)
    (folder / WEIGHTS_FILE).write_bytes(str(key).encode())
    (folder / CONFIG_FILE).write_text('{"r": 4, "lora_alpha": 8, "target_modules": []}')
    adapter = Adapter("generator", adapter_fingerprint(folder), str(folder), key.iteration or 0)
    adapters.make_current(key, StoredAdapter(adapter, training_fingerprint="m"))
    return adapter


def test_every_name_leads_to_its_weights(experiment: Experiment, adapters: AdapterStore) -> None:
    assert models_made(experiment, adapters) == ["base"]
    second = trained(adapters, StageKey("small", "generator_lora", 2))
    aligned = trained(adapters, StageKey("small", "aligned_model", None))
    assert models_made(experiment, adapters) == ["base", "2", "aligned"]
    assert model_named(experiment, "base", adapters).path is None
    assert model_named(experiment, "2", adapters) == second
    assert model_named(experiment, "aligned", adapters) == aligned


def test_what_has_not_been_made_is_named(experiment: Experiment, adapters: AdapterStore) -> None:
    with pytest.raises(UserError, match="small/generator_lora of iteration 1 has not been made"):
        model_named(experiment, "1", adapters)
    with pytest.raises(UserError, match="small/aligned_model has not been made"):
        model_named(experiment, "aligned", adapters)


def test_damaged_weights_are_found(experiment: Experiment, adapters: AdapterStore) -> None:
    adapter = trained(adapters, StageKey("small", "generator_lora", 1))
    Path(str(adapter.path), CONFIG_FILE).write_text("{oops")
    with pytest.raises(UserError, match="is damaged"):
        model_named(experiment, "1", adapters)
    assert models_made(experiment, adapters) == ["base", "1"], "said when it is used, not hidden"
