"""Stages: their names and folders."""

from pathlib import Path

from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from tests.stored_stages import drafted


def test_a_stage_of_a_model_has_a_folder_and_a_name_of_its_own(tmp_path: Path) -> None:
    key = StageKey("e", "longen_scores", None, model="1")
    assert str(key) == "e/longen_scores of model 1"
    assert str(key.folder) == "e/longen_scores/model=1"
    assert StageKey.from_name("e", key.name, None) == key
    other = StageKey("e", "initial_responses", 2)
    assert StageKey.from_name("e", other.name, 2) == other
    store = StageStore(data_dir=str(tmp_path))
    for each in (key, StageKey("e", "longen_scores", None, model="base"), other):
        store.make_current(drafted(store, each, []))
    assert set(store.complete("e")) == {
        key, StageKey("e", "longen_scores", None, model="base"), other,
    }  # fmt: skip
    assert store.complete("nobody") == []
