"""Adapters of every shape that PEFT writes, and what they are not."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment, Sampling, load_experiment
from sl_dagster.method.plain_text import plain_text
from sl_dagster.models.base_model import load_model
from sl_dagster.publishing.model_export import merged_model
from sl_dagster.resources.adapters import CONFIG_FILE, WEIGHTS_FILE, Adapter, adapter_fingerprint
from sl_dagster.resources.engines import Request, open_engine
from tests.families import FAMILIES, build_model, build_tokenizer, user

pytestmark = pytest.mark.integration

QUESTION = user("Write a story about an old lantern.")
GREEDY = Sampling(temperature=0, top_k=0, top_p=1, repetition_penalty=1, max_tokens=12, stop=())
SHAPES: dict[str, dict[str, Any]] = {
    "linear": {"target_modules": "all-linear"},
    "head saved whole": {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
    "ends saved whole": {
        "target_modules": ["q_proj"],
        "modules_to_save": ["lm_head", "embed_tokens"],
    },
    "norm saved whole": {"target_modules": ["q_proj"], "modules_to_save": ["norm"]},
    "head": {"target_modules": ["q_proj", "lm_head"]},
    "embedding": {"target_modules": ["q_proj", "embed_tokens"]},
    "by pattern": {"target_modules": r".*layers\.1.*\.(q|v)_proj"},
    "one layer": {"target_modules": ["q_proj"], "layers_to_transform": [1]},
    "ranks": {"target_modules": ["q_proj", "v_proj"], "rank_pattern": {"v_proj": 5}},
    "scales": {"target_modules": ["q_proj"], "alpha_pattern": {"q_proj": 9}},
    "dora": {"target_modules": ["q_proj"], "use_dora": True},
    "rslora": {"target_modules": ["q_proj"], "use_rslora": True},
}


def build(folder: Path, tied: bool) -> Path:
    """A tiny model whose embedding is its head, too, or is not."""
    build_model(FAMILIES["qwen2"], folder, tie_word_embeddings=tied)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    for name, weights in model.named_parameters():
        if "layers." in name and weights.dim() > 1:
            torch.nn.init.normal_(weights, std=0.5)  # otherwise it would repeat its last token
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=[False, True], ids=["untied", "tied"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("base"), request.param)


@pytest.fixture
def experiment(base: Path, write_experiment: Any) -> Experiment:
    return load_experiment(write_experiment(base_model=str(base)))


def make_adapter(base: Path, folder: Path, shape: dict[str, Any]) -> Adapter:
    """An adapter of random weights, large enough to change what is written."""
    torch.manual_seed(3)
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    lora = LoraConfig(r=3, lora_alpha=30, init_lora_weights=False, task_type="CAUSAL_LM", **shape)
    adapted: Any = get_peft_model(model, lora)
    for name, weights in adapted.named_parameters():
        if "lora_A" in name or "lora_B" in name or "modules_to_save" in name:
            torch.nn.init.normal_(weights)
    adapted.save_pretrained(str(folder))
    return Adapter("generator", adapter_fingerprint(folder), str(folder), 1)


def ask(experiment: Experiment, *adapters: Adapter) -> list[str]:
    """What the engine writes with each, one after the other."""
    engine = open_engine(experiment.served)

    async def all_of_them() -> list[str]:
        return [
            (await engine.complete(Request(QUESTION, GREEDY, 1, adapter))).text
            for adapter in adapters
        ]

    try:
        return asyncio.run(all_of_them())
    finally:
        engine.close()


def peft_writes(experiment: Experiment, adapter: Adapter | None) -> str:
    """What PEFT and transformers write by themselves."""
    base = experiment.base_model
    tokenizer = AutoTokenizer.from_pretrained(base)
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    if adapter:
        model = PeftModel.from_pretrained(model, str(adapter.path))
    prompt = experiment.chat.prompt(tokenizer, QUESTION)
    ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
    whole = model.eval().generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False
    )
    return plain_text(tokenizer.decode(whole[0, ids.shape[1] :], skip_special_tokens=True))


@pytest.mark.parametrize("shape", SHAPES)
def test_an_adapter_writes_what_it_writes_with_peft(
    shape: str, base: Path, experiment: Experiment, tmp_path: Path
) -> None:
    adapter = make_adapter(base, tmp_path / "adapter", SHAPES[shape])
    other = make_adapter(base, tmp_path / "other", SHAPES["linear"])
    bare = Adapter("generator", "base-1")
    expected = [peft_writes(experiment, one) for one in (None, adapter, other)]
    assert expected[0] != expected[1]
    texts = ask(experiment, bare, adapter, bare, other, adapter, bare)
    assert texts == [expected[place] for place in (0, 1, 0, 2, 1, 0)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_merged_model_is_the_model_with_its_adapter(
    shape: str, base: Path, tmp_path: Path
) -> None:
    adapter = make_adapter(base, tmp_path / "adapter", SHAPES[shape])
    merged_model(str(base), "main", Path(str(adapter.path))).save_pretrained(tmp_path / "merged")
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    adapted = PeftModel.from_pretrained(model, str(adapter.path)).eval()
    merged = load_model(str(tmp_path / "merged"), "main").eval()
    tokens = torch.arange(5, 25)[None]
    expected = adapted(tokens).logits
    assert torch.allclose(merged(tokens).logits, expected, atol=1e-4 * expected.abs().max().item())


def test_the_fingerprint_is_of_all_that_decides(base: Path, tmp_path: Path) -> None:
    """The same weights do something else where the configuration says so."""
    folder = tmp_path / "adapter"
    before = make_adapter(base, folder, SHAPES["linear"]).fingerprint
    config = json.loads((folder / CONFIG_FILE).read_text())
    seen = {before}
    for setting in (
        {"use_rslora": True},
        {"alpha_pattern": {"q_proj": 9}},
        {"rank_pattern": {"q_proj": 5}},
        {"layers_to_transform": [1]},
        {"lora_alpha": 31},
        {"target_modules": ".*q_proj"},
    ):
        (folder / CONFIG_FILE).write_text(json.dumps(config | setting))
        seen.add(adapter_fingerprint(folder))
    assert len(seen) == 7
    for setting in ({"base_model_name_or_path": "elsewhere"}, {"inference_mode": False}):
        (folder / CONFIG_FILE).write_text(json.dumps(config | setting))
        assert adapter_fingerprint(folder) == before


def in_shards(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS_FILE)
    (folder / WEIGHTS_FILE).unlink()
    for number, name in enumerate(sorted(weights), start=1):
        save_file({name: weights[name]}, folder / f"adapter_model-{number:05}.safetensors")


def pickled(folder: Path) -> None:
    torch.save(load_file(folder / WEIGHTS_FILE), folder / "adapter_model.bin")
    (folder / WEIGHTS_FILE).unlink()


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (in_shards, "weights are in adapter_model-00001.safetensors, .* PEFT reads one file"),
        (pickled, "adapter_model.bin is a pickle"),
    ],
)
def test_weights_in_another_form_are_refused(
    spoil: Any, found: str, base: Path, experiment: Experiment, tmp_path: Path
) -> None:
    adapter = make_adapter(base, tmp_path / "adapter", SHAPES["linear"])
    spoil(tmp_path / "adapter")
    with pytest.raises(UserError, match=found):
        ask(experiment, adapter)


def test_an_adapter_that_is_no_lora_is_refused(base: Path, tmp_path: Path) -> None:
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    other = IA3Config(target_modules=["q_proj"], feedforward_modules=[], task_type="CAUSAL_LM")
    get_peft_model(model, other).save_pretrained(str(tmp_path))
    with pytest.raises(ValueError, match="not that of a LoRA adapter: KeyError"):
        adapter_fingerprint(tmp_path)


def sharded(base: Path, folder: Path) -> Path:
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    model.save_pretrained(folder, max_shard_size="20KB")
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    assert len(list(folder.glob("*.safetensors"))) > 1
    return folder


def test_a_model_in_shards_writes_the_same(
    base: Path, experiment: Experiment, tmp_path: Path
) -> None:
    shards = sharded(base, tmp_path)
    adapter = make_adapter(shards, tmp_path / "adapter", SHAPES["linear"])
    bare = Adapter("generator", "base-1")
    in_one = ask(experiment, bare, adapter)
    assert ask(experiment.model_copy(update={"base_model": str(shards)}), bare, adapter) == in_one
    # All its weights count where it is the result of a training.
    before = adapter_fingerprint(shards)
    last = sorted(shards.glob("*.safetensors"))[-1]
    save_file({name: weights + 1 for name, weights in load_file(last).items()}, last)
    assert adapter_fingerprint(shards) != before
    last.unlink()
    with pytest.raises(ValueError, match=f"names files that are missing: {last.name}"):
        adapter_fingerprint(shards)


def without_a_shard(folder: Path) -> None:
    sorted(folder.glob("*.safetensors"))[-1].unlink()


def without_a_weight(folder: Path) -> None:
    [index] = folder.glob("*.index.json")
    listed = json.loads(index.read_text())
    last = sorted(folder.glob("*.safetensors"))[-1]
    weights = load_file(last)
    gone = sorted(weights)[0]
    save_file({name: one for name, one in weights.items() if name != gone}, last)
    del listed["weight_map"][gone]
    index.write_text(json.dumps(listed))


def with_a_broken_shard(folder: Path) -> None:
    last = sorted(folder.glob("*.safetensors"))[-1]
    last.write_bytes(last.read_bytes()[:20])


def with_pickles(folder: Path) -> None:
    for file in folder.glob("*.safetensors*"):
        file.unlink()
    torch.save({}, folder / "pytorch_model.bin")


def with_another_shape(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 96}))


@pytest.mark.parametrize(
    "spoil",
    [without_a_shard, without_a_weight, with_a_broken_shard, with_pickles, with_another_shape],
)
def test_a_model_that_is_not_whole_is_refused(
    spoil: Any, base: Path, experiment: Experiment, tmp_path: Path
) -> None:
    """Never are missing weights made up."""
    spoil(sharded(base, tmp_path))
    with pytest.raises(UserError, match=f"base_model: {tmp_path} cannot be loaded"):
        ask(
            experiment.model_copy(update={"base_model": str(tmp_path)}),
            Adapter("generator", "base-1"),
        )


def test_an_adapter_is_no_base_model(base: Path, experiment: Experiment, tmp_path: Path) -> None:
    make_adapter(base, tmp_path, SHAPES["linear"])
    build_tokenizer(FAMILIES["qwen2"]).save_pretrained(tmp_path)
    spoiled = experiment.model_copy(update={"base_model": str(tmp_path)})
    with pytest.raises(UserError, match=f"base_model: {tmp_path} cannot be loaded"):
        ask(spoiled, Adapter("generator", "base-1"))
    # Nor where a model stands beside it, which transformers would adapt without a word.
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((base / name).read_bytes())
    with pytest.raises(UserError, match="it is an adapter: merge it into its model first"):
        ask(spoiled, Adapter("generator", "base-1"))
