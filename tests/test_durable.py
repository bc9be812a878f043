"""Content is on the disk before its name is: seen in the order of the system's calls."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sl_dagster import durable
from sl_dagster.publishing.model_export import new_folder
from sl_dagster.resources.adapters import CONFIG_FILE, WEIGHTS_FILE
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.pending import Pending
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from tests.conftest import OUTCOME
from tests.stored_stages import RESPONSES, drafted_responses

LORA = StageKey("e", "generator_lora", 1)
Call = tuple[str, ...]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """What is settled and renamed, in order: ("sync", path) and ("rename", old, new)."""
    seen: list[Call] = []
    sync, replace = os.fsync, os.replace

    def fsync(number: int) -> None:
        seen.append(("sync", str(Path(f"/proc/self/fd/{number}").readlink())))
        sync(number)

    def rename(old: Path, new: Path) -> None:
        inside = Path(old).rglob("*") if Path(old).is_dir() else ()
        seen.append(("rename", str(old), str(new), *map(str, inside)))
        replace(old, new)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", rename)
    return seen


def store_a_stage(folder: Path) -> Path:
    stages = StageStore(data_dir=str(folder))
    return stages.make_current(drafted_responses(stages, {"a": "A text."})).path


def store_an_adapter(folder: Path) -> Path:
    adapters = AdapterStore(data_dir=str(folder))
    workplace = adapters.workplace(LORA, "m")
    (workplace / WEIGHTS_FILE).write_bytes(b"weights")
    (workplace / CONFIG_FILE).write_text('{"r": 1, "lora_alpha": 1, "target_modules": ["a"]}')
    adapters.make_current(LORA, adapters.adopt(LORA, "generator", "m", OUTCOME))
    return folder / LORA.folder / "adapter.json"


def note_what_is_pending(folder: Path) -> Path:
    pending = Pending(folder)
    pending.note(RESPONSES)
    return next(iter(pending.read()))


def export(folder: Path) -> Path:
    with new_folder(folder / "out") as unfinished:
        (unfinished / "README.md").write_text("A card.")
    return folder / "out"


@pytest.mark.parametrize(
    "announce", [store_a_stage, store_an_adapter, note_what_is_pending, export]
)
def test_what_is_announced_is_on_the_disk(
    tmp_path: Path, calls: list[Call], announce: Callable[[Path], Path]
) -> None:
    announced = announce(tmp_path)
    renames = [(place, call) for place, call in enumerate(calls) if call[0] == "rename"]
    assert str(announced) in {call[2] for _, call in renames}
    for place, (_, old, new, *inside) in renames:
        before = {path for _, path, *_ in calls[:place]}
        assert {old, *inside} <= before, "its content is settled before it has its name"
        assert ("sync", str(Path(new).parent)) in calls[place:], "its name is settled, too"


def test_rejected_texts_are_there_before_the_records(tmp_path: Path, calls: list[Call]) -> None:
    store_a_stage(tmp_path)
    renamed = [Path(call[2]).parent.name for call in calls if call[0] == "rename"]
    assert renamed == ["rejected", "iteration=2"]


def test_a_disk_that_refuses_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old").write_text("old")
    (tmp_path / "new").write_text("new")

    def refuse(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        durable.replace(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old").read_text() == "old"
