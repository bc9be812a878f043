"""What is said when the web UI opens. Opening it is tested in tests/browser."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.text import Text

from sl_dagster.commands.web_ui import greeting, open_web_ui
from sl_dagster.errors import UserError
from sl_dagster.experiment import load_experiments
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from tests.stored_stages import store


def said(folder: Path, stages: StageStore) -> str:
    lines = greeting(load_experiments(folder), "http://here:3000", "http://here:3001", stages)
    return "\n".join(Text.from_markup(line).plain for line in lines)


def test_the_greeting(write_experiment: Callable[..., Path], tmp_path: Path) -> None:
    folder = write_experiment("first").parent
    write_experiment("second")
    stages = StageStore(data_dir=str(tmp_path / "data"))
    text = said(folder, stages)
    assert "Web UI   http://here:3000\nLineage  http://here:3001" in text
    graph = "http://here:3000/locations/sl_dagster.definitions/asset-groups"
    assert f"{graph}/first (" in text
    assert "one of 2" in text
    store(stages.data_dir, StageKey("second", "seeds", None), [])
    assert f"{graph}/second (" in said(folder, stages), "there is something to be seen"


def test_the_greeting_names_what_is_wrong(
    write_experiment: Callable[..., Path], tmp_path: Path
) -> None:
    folder = write_experiment("first").parent
    (folder / "broken.yaml").write_text("a: [red]\n")
    (folder / "my-draft.yaml").write_text("")
    text = said(folder, StageStore(data_dir=str(tmp_path / "data")))
    assert f"{folder}/broken.yaml: " in text
    assert "asset-groups/broken_experiments" in text
    assert "my-draft.yaml: no experiment" in text
    (folder / "first.yaml").unlink()
    assert "Begin" not in said(folder, StageStore(data_dir=str(tmp_path / "data")))


def test_a_port_that_is_taken(
    write_experiment: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SL_DAGSTER_EXPERIMENTS", str(write_experiment().parent))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1:{port}.*--port"):
            open_web_ui("127.0.0.1", port)
