"""Stored adapters: which one is current, and what happens to those before it."""

import json
import shutil
from pathlib import Path

import pytest

from sl_dagster.errors import OutOfReachError, UserError
from sl_dagster.resources.adapters import CONFIG_FILE, WEIGHTS_FILE, Adapter, adapter_fingerprint
from sl_dagster.resources.storage.adapter_store import AdapterStore, StoredAdapter
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.training.job import CHECKPOINTS
from tests.conftest import OUTCOME, unreadable

KEY = StageKey("e", "generator_lora", 1)


def trained(adapters: AdapterStore, weights: bytes, made_from: str = "m1") -> StoredAdapter:
    """What a training of these weights leads to, published."""
    folder = adapters.workplace(KEY, made_from)
    (folder / WEIGHTS_FILE).write_bytes(weights)
    config = {"r": 4, "lora_alpha": 8, "target_modules": ["b", "a"], "base_model": str(folder)}
    (folder / CONFIG_FILE).write_text(json.dumps(config))
    stored = adapters.adopt(KEY, "generator", made_from, OUTCOME)
    adapters.make_current(KEY, stored)
    return stored


def test_what_was_published_is_current(adapters: AdapterStore) -> None:
    with pytest.raises(UserError, match="e/generator_lora of iteration 1 has not been made"):
        adapters.read(KEY)
    stored = trained(adapters, b"weights")
    assert adapters.read(KEY) == stored
    assert adapters.find(KEY, "m1") == stored
    assert adapters.find(KEY, "m2") is None
    assert stored.adapter.verified() == stored.adapter


def test_a_new_adapter_replaces_the_old_one(adapters: AdapterStore) -> None:
    old = trained(adapters, b"old")
    new = trained(adapters, b"new", "m2")
    assert adapters.read(KEY) == new
    assert new.adapter.fingerprint != old.adapter.fingerprint
    assert not Path(str(old.adapter.path)).exists()


def test_a_killed_training_finds_its_checkpoints_and_another_does_not(
    adapters: AdapterStore,
) -> None:
    checkpoint = adapters.workplace(KEY, "m1") / CHECKPOINTS / "checkpoint-7"
    checkpoint.mkdir(parents=True)
    adapters.workplace(KEY, "m1")
    assert checkpoint.is_dir()
    assert not list(adapters.workplace(KEY, "m2").iterdir())
    assert not checkpoint.exists()


def test_a_finished_training_leaves_no_checkpoints(adapters: AdapterStore) -> None:
    (adapters.workplace(KEY, "m1") / CHECKPOINTS / "checkpoint-7").mkdir(parents=True)
    adapter = trained(adapters, b"weights").adapter
    assert {path.name for path in Path(str(adapter.path)).iterdir()} == {CONFIG_FILE, WEIGHTS_FILE}


def test_an_unpublished_training_changes_nothing(adapters: AdapterStore) -> None:
    old = trained(adapters, b"old")
    (adapters.workplace(KEY, "m2") / WEIGHTS_FILE).write_bytes(b"half")
    assert adapters.read(KEY) == old
    old.adapter.verified()


@pytest.mark.parametrize("file", [WEIGHTS_FILE, CONFIG_FILE])
def test_damage_is_told_and_is_not_reused(adapters: AdapterStore, file: str) -> None:
    adapter = trained(adapters, b"weights").adapter
    (Path(str(adapter.path)) / file).write_bytes(b"{")
    with pytest.raises(UserError, match=r"materialize|Materialize"):
        adapter.verified()
    assert adapters.find(KEY, "m1") is None


def test_a_damaged_description_is_told(adapters: AdapterStore, tmp_path: Path) -> None:
    trained(adapters, b"weights")
    (tmp_path / "data" / KEY.folder / "adapter.json").write_text("{")
    with pytest.raises(UserError, match=r"adapter\.json is damaged"):
        adapters.read(KEY)


def test_the_data_folder_can_be_moved(adapters: AdapterStore, tmp_path: Path) -> None:
    adapter = trained(adapters, b"weights").adapter
    previous = StageKey("e", "previous_generator", 2)
    adapters.make_current(previous, StoredAdapter(adapter, "m1"))
    shutil.move(tmp_path / "data", tmp_path / "elsewhere")
    moved = AdapterStore(data_dir=str(tmp_path / "elsewhere"))
    for key in (KEY, previous):
        found = moved.read(key).adapter.verified()
        assert found.fingerprint == adapter.fingerprint
        assert str(found.path).startswith(str(tmp_path / "elsewhere"))


def test_the_base_model_has_no_folder(adapters: AdapterStore) -> None:
    key = StageKey("e", "previous_extender", 1)
    base = StoredAdapter(Adapter("extender", "base-1"), "base-1")
    adapters.make_current(key, base)
    assert adapters.read(key) == base


def test_the_fingerprint_is_of_weights_and_shape_not_of_the_place(tmp_path: Path) -> None:
    def fingerprint(name: str, weights: bytes, **config) -> str:
        folder = tmp_path / name
        folder.mkdir()
        (folder / WEIGHTS_FILE).write_bytes(weights)
        shape = {"r": 4, "lora_alpha": 8, "target_modules": ["a", "b"], "base_model": name}
        (folder / CONFIG_FILE).write_text(json.dumps(shape | config))
        return adapter_fingerprint(folder)

    first = fingerprint("first", b"w")
    assert first == fingerprint("same", b"w", target_modules=["b", "a"])
    assert first != fingerprint("weights", b"x")
    assert first != fingerprint("alpha", b"w", lora_alpha=16)


@pytest.mark.parametrize("config", ['{"r": 4, "lora_alpha": 8}', "[]", "{}", "no JSON"])
def test_a_damaged_configuration_is_told(adapters: AdapterStore, config: str) -> None:
    adapter = trained(adapters, b"weights").adapter
    (Path(str(adapter.path)) / CONFIG_FILE).write_text(config)
    with pytest.raises(UserError, match=r"is damaged.*materialize generator_lora of iteration"):
        adapter.verified()


@pytest.mark.parametrize("name", ["adapter_model.bin", "adapter_model.pt", "pytorch_model-1.bin"])
@pytest.mark.parametrize("beside", [True, False])
def test_a_pickle_is_refused(adapters: AdapterStore, name: str, beside: bool) -> None:
    """Alone, or beside weights that would be read instead: of what is loaded, nobody is sure."""
    adapter = trained(adapters, b"weights").adapter
    folder = Path(str(adapter.path))
    (folder / name).write_bytes(b"cposix\nsystem\n")
    if not beside:
        (folder / WEIGHTS_FILE).unlink()
    with pytest.raises(UserError, match=rf"{name} is a pickle, which can run code.* materialize"):
        adapter.verified()


@pytest.mark.parametrize("place", [0, 100, -1])
def test_a_flipped_bit_is_found(adapters: AdapterStore, place: int) -> None:
    adapter = trained(adapters, bytes(range(256))).adapter
    weights = Path(str(adapter.path)) / WEIGHTS_FILE
    content = bytearray(weights.read_bytes())
    content[place] ^= 0x10
    weights.write_bytes(content)
    with pytest.raises(UserError, match=r"has fingerprint .*: it is damaged or was replaced"):
        adapter.verified()
    assert adapters.find(KEY, "m1") is None, "it is trained again"


def test_the_same_weights_once_more_never_leave_their_place(
    adapters: AdapterStore,
) -> None:
    first = trained(adapters, b"weights")
    inode = Path(str(first.adapter.path)).stat().st_ino
    again = trained(adapters, b"weights", "m2")
    assert again.adapter == first.adapter
    assert Path(str(again.adapter.path)).stat().st_ino == inode
    assert adapters.find(KEY, "m2") == again
    assert not list(Path(adapters.data_dir).rglob(".training*"))
    (Path(str(first.adapter.path)) / WEIGHTS_FILE).write_bytes(b"damaged")
    assert trained(adapters, b"weights", "m3").adapter.verified(), "damaged ones are replaced"


def test_what_cannot_be_read_now_is_not_damaged(adapters: AdapterStore) -> None:
    """Or another user's adapters would be trained again, and replaced."""
    stored = trained(adapters, b"weights")
    with unreadable():
        for look in (
            lambda: adapters.read(KEY),
            lambda: adapters.find(KEY, "m1"),
            stored.adapter.verified,
        ):
            with pytest.raises(OutOfReachError, match=r"cannot be read \(Too many open files\)"):
                look()
    assert adapters.find(KEY, "m1") == stored


def test_damage_is_named_when_it_is_looked_for(adapters: AdapterStore) -> None:
    stored = trained(adapters, b"weights")
    (Path(str(stored.adapter.path)) / WEIGHTS_FILE).write_bytes(b"other")
    said: list[str] = []
    assert adapters.find(KEY, "m2", said.append) is None
    assert not said, "nobody would have used it"
    assert adapters.find(KEY, "m1", said.append) is None
    assert "it is damaged or was replaced" in said[0]


def test_copies_of_an_iteration_are_not_adapters(adapters: AdapterStore) -> None:
    stored = trained(adapters, b"weights")
    folder = Path(str(stored.adapter.path)).parent
    shutil.copytree(folder, folder.with_name("iteration=1.old"))
    assert adapters.complete("e") == [KEY]
