"""Exported models: they are the base model with its adapter, and nothing is overwritten."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from sl_dagster.adapters import WEIGHTS_FILE
from sl_dagster.errors import UserError
from sl_dagster.experiment import load_experiment
from sl_dagster.publishing.model_export import Export, export_model
from sl_dagster.resources.adapter_store import AdapterStore, StoredAdapter
from sl_dagster.resources.stage_store import StageKey
from sl_dagster.training.job import LossPoint, TrainingOutcome
from tests.conftest import DEMO_MODEL
from tests.test_cli import Cli, cli  # noqa: F401 (a fixture)

pytestmark = pytest.mark.integration

OUTCOME = TrainingOutcome(
    examples=3,
    truncated=0,
    longest=9,
    tokens=27,
    steps=1,
    seconds=1.5,
    losses=[LossPoint(step=1, loss=2.0)],
)


@pytest.fixture
def store(tmp_path: Path) -> AdapterStore:
    return AdapterStore(data_dir=str(tmp_path / "data"))


@pytest.fixture
def stored(store: AdapterStore) -> StoredAdapter:
    """The stored Extender of iteration 2, an adapter that changes a lot."""
    key = StageKey("small", "extender_lora", 2)
    torch.manual_seed(1)
    model: Any = AutoModelForCausalLM.from_pretrained(DEMO_MODEL)
    lora = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(model, lora).save_pretrained(str(store.workplace(key, "m1")))
    stored = store.adopt(key, "extender", "m1", OUTCOME)
    store.publish(key, stored)
    return stored


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
    store: AdapterStore, stored: StoredAdapter, export: Callable[..., Export], tmp_path: Path
) -> None:
    exact = tmp_path / "float32"  # the model's own bfloat16 could not hold the sum exactly
    base: Any = AutoModelForCausalLM.from_pretrained(DEMO_MODEL, dtype=torch.float32)
    base.save_pretrained(exact)
    AutoTokenizer.from_pretrained(DEMO_MODEL).save_pretrained(exact)
    export_model(export(merged=True, base_model=str(exact)), store)
    before = logits(base)
    adapted = logits(PeftModel.from_pretrained(base, str(stored.adapter.path)))
    merged: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert not isinstance(merged, PeftModel)
    assert torch.allclose(logits(merged), adapted, atol=1e-4)
    assert not torch.allclose(before, adapted, atol=1e-1)
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template


def test_the_merged_model_keeps_the_precision_of_the_base(
    store: AdapterStore, stored: StoredAdapter, export: Callable[..., Export], tmp_path: Path
) -> None:
    export_model(export(merged=True), store)
    base: Any = AutoModelForCausalLM.from_pretrained(DEMO_MODEL)
    merged: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert merged.dtype == base.dtype
    adapted = logits(PeftModel.from_pretrained(base.float(), str(stored.adapter.path)))
    assert (logits(merged.float()) - adapted).abs().mean() < 0.1


def test_the_adapter_alone_can_be_loaded_on_the_base(
    store: AdapterStore, stored: StoredAdapter, export: Callable[..., Export], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()  # an empty one is as good as none
    export_model(export(), store)
    weights = (Path(str(stored.adapter.path)) / WEIGHTS_FILE).read_bytes()
    assert (tmp_path / "out" / WEIGHTS_FILE).read_bytes() == weights
    base: Any = AutoModelForCausalLM.from_pretrained(DEMO_MODEL)
    assert logits(PeftModel.from_pretrained(base, str(tmp_path / "out"))).isfinite().all()
    assert AutoTokenizer.from_pretrained(tmp_path / "out").chat_template
    assert not list(tmp_path.glob(".out*"))


def test_the_readme_states_the_facts(
    store: AdapterStore, stored: StoredAdapter, export: Callable[..., Export], tmp_path: Path
) -> None:
    export_model(export(), store)
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
    store: AdapterStore, stored: StoredAdapter, export: Callable[..., Export], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    for path in (out, out / "mine.txt"):
        with pytest.raises(UserError, match=r"--out .*there is something already"):
            export_model(export(out=path), store)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    with pytest.raises(UserError, match=r"--out .*cannot be written"):
        export_model(export(out=out / "mine.txt" / "below"), store)


def test_what_is_not_there_is_told(
    store: AdapterStore, stored: StoredAdapter, export: Callable[..., Export], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="generator_lora of iteration 2 has not been made yet"):
        export_model(export(role="generator"), store)
    (Path(str(stored.adapter.path)) / WEIGHTS_FILE).write_bytes(b"x")
    with pytest.raises(UserError, match="damaged"):
        export_model(export(), store)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("stored", "export")
def test_the_command_line_exports(cli: Cli, export: Callable[..., Export], tmp_path: Path) -> None:  # noqa: F811
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
