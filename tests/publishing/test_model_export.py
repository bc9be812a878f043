"""Exported models: they are the base model with its adapter, and nothing is overwritten."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from sl_dagster.errors import UserError
from sl_dagster.experiment import load_experiment
from sl_dagster.publishing.model_export import Export, export_model
from sl_dagster.resources.adapters import WEIGHTS_FILE
from sl_dagster.resources.storage.adapter_store import AdapterStore, StoredAdapter
from tests.conftest import DEMO_MODEL, Cli

pytestmark = pytest.mark.integration


@pytest.fixture
def export(write_experiment: Callable[..., Path], tmp_path: Path) -> Callable[..., Export]:
    """Describes an export of that Extender."""

    def described(base_model: str = str(DEMO_MODEL), **changes: Any) -> Export:
        path = write_experiment(base_model=base_model, system_prompt="Be brief.")
        described = {"iteration": 2, "role": "extender", "merged": False, "out": tmp_path / "out"}
        return Export(load_experiment(path), **(described | changes))

    return described


def logits(model: Any) -> torch.Tensor:
    tokenizer = AutoTokenizer.from_pretrained(DEMO_MODEL)
    with torch.no_grad():
        return model(**tokenizer("Write about the copper lantern.", return_tensors="pt")).logits


def test_the_merged_model_is_the_base_with_its_adapter(
    adapters: AdapterStore,
    stored: StoredAdapter,
    export: Callable[..., Export],
    tmp_path: Path,
) -> None:
    exact = tmp_path / "float32"  # the model's own bfloat16 could not hold the sum exactly
    base: Any = AutoModelForCausalLM.from_pretrained(DEMO_MODEL, dtype=torch.float32)
    base.save_pretrained(exact)
    AutoTokenizer.from_pretrained(DEMO_MODEL).save_pretrained(exact)
    export_model(export(merged=True, base_model=str(exact)), adapters)
    before = logits(base)
    adapted = logits(PeftModel.from_pretrained(base, str(stored.adapter.path)))
    merged: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert not isinstance(merged, PeftModel)
    assert torch.allclose(logits(merged), adapted, atol=1e-4)
    assert not torch.allclose(before, adapted, atol=1e-1)
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template


def test_the_merged_model_keeps_the_precision_of_the_base(
    adapters: AdapterStore,
    stored: StoredAdapter,
    export: Callable[..., Export],
    tmp_path: Path,
) -> None:
    export_model(export(merged=True), adapters)
    base: Any = AutoModelForCausalLM.from_pretrained(DEMO_MODEL)
    merged: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert merged.dtype == base.dtype
    adapted = logits(PeftModel.from_pretrained(base.float(), str(stored.adapter.path)))
    assert (logits(merged.float()) - adapted).abs().mean() < 0.1


def test_the_adapter_alone_can_be_loaded_on_the_base(
    adapters: AdapterStore,
    stored: StoredAdapter,
    export: Callable[..., Export],
    tmp_path: Path,
) -> None:
    (tmp_path / "out").mkdir()  # an empty one is as good as none
    export_model(export(), adapters)
    weights = (Path(str(stored.adapter.path)) / WEIGHTS_FILE).read_bytes()
    assert (tmp_path / "out" / WEIGHTS_FILE).read_bytes() == weights
    base: Any = AutoModelForCausalLM.from_pretrained(DEMO_MODEL)
    assert logits(PeftModel.from_pretrained(base, str(tmp_path / "out"))).isfinite().all()
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template
    assert not list(tmp_path.glob(".out*"))


def test_the_readme_states_the_facts(
    adapters: AdapterStore,
    stored: StoredAdapter,
    export: Callable[..., Export],
    tmp_path: Path,
) -> None:
    export_model(export(), adapters)
    readme = (tmp_path / "out" / "README.md").read_text()
    facts = [
        "Base model: model (revision main)",
        "Experiment: small",
        "Iteration: 2",
        "Role: extender",
    ]
    for fact in [*facts, stored.adapter.fingerprint, "System prompt: Be brief."]:
        assert fact in readme


def test_nothing_is_overwritten(
    adapters: AdapterStore,
    stored: StoredAdapter,
    export: Callable[..., Export],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    for path in (out, out / "mine.txt"):
        with pytest.raises(UserError, match=r"--out .*there is something already"):
            export_model(export(out=path), adapters)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    with pytest.raises(UserError, match=r"--out .*cannot be written"):
        export_model(export(out=out / "mine.txt" / "below"), adapters)
    with pytest.raises(UserError, match=r"--out .*cannot be written: File name too long"):
        export_model(export(out=tmp_path / ("x" * 300)), adapters)


@pytest.mark.parametrize("out", [".", "", "/", "./"])
def test_the_current_folder_is_not_replaced(
    adapters: AdapterStore,
    stored: StoredAdapter,
    export: Callable[..., Export],
    out: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(UserError, match=r"--out /.*(is the current folder|something already)"):
        export_model(export(out=Path(out)), adapters)


@pytest.mark.parametrize("merged", [True, False])
def test_others_may_read_what_is_exported(
    adapters: AdapterStore,
    stored: StoredAdapter,
    export: Callable[..., Export],
    merged: bool,
    tmp_path: Path,
) -> None:
    export_model(export(merged=merged), adapters)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()}
    assert len(modes) == 1


def test_what_is_not_there_is_told(
    adapters: AdapterStore,
    stored: StoredAdapter,
    export: Callable[..., Export],
    tmp_path: Path,
) -> None:
    with pytest.raises(UserError, match="generator_lora of iteration 2 has not been made yet"):
        export_model(export(role="generator"), adapters)
    (Path(str(stored.adapter.path)) / WEIGHTS_FILE).write_bytes(b"x")
    with pytest.raises(UserError, match="damaged"):
        export_model(export(), adapters)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("stored", "export")
def test_the_command_line_exports(cli: Cli, export: Callable[..., Export], tmp_path: Path) -> None:
    export()
    out = tmp_path / "model"
    arguments = ["export-model", "--experiment", "small", "--iteration", "2", "--out", str(out)]
    result = cli(*arguments, "--role", "extender", "--merged")
    assert result.returncode == 0, result.stderr
    assert (out / "model.safetensors").is_file()
    again = cli(*arguments, "--role", "extender")
    assert again.returncode == 1
    assert "there is something already" in again.stderr
    assert cli(*arguments, "--role", "editor").returncode == 2
