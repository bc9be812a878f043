"""Greedy texts of all kinds of attention, beside those of ``model.generate``."""

import random
from typing import Any

import pytest
import torch
from transformers import AutoConfig

from sl_dagster.errors import UserError
from sl_dagster.experiment import Sampling
from sl_dagster.models.base_model import model_class
from sl_dagster.resources.engines.decoding import DecodingBatch, Row

LONG = 24  # tokens written; the windows below are much shorter
SHAPE: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
WINDOW = {"sliding_window": 8}
EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
MIXED = {"layer_types": ["sliding_attention", "sliding_attention", "full_attention"] * 2}
SIX = {"num_hidden_layers": 6}
LATENT = {
    "q_lora_rank": 8, "kv_lora_rank": 8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8,
    "v_head_dim": 4, "head_dim": 8, "num_key_value_heads": 4, "n_routed_experts": 4,
    "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1, "moe_intermediate_size": 16,
}  # fmt: skip

# Families of models: type, and what their language models have besides the common shape.
PLAIN: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen2": {},
    "qwen3": {},
    "glm4": {},
    "gpt2": {"n_embd": 32, "n_layer": 4, "n_head": 4, "n_positions": 256},
    "mistral": WINDOW,  # all layers alike, which only the window says
    "mixtral": WINDOW | EXPERTS,
    "phi3": WINDOW,
    "starcoder2": WINDOW,
    "ministral3": WINDOW,
    "gemma2": WINDOW,
    "gemma3_text": WINDOW | MIXED | SIX,
    "cohere2": WINDOW | MIXED | SIX,
    "olmo3": WINDOW | MIXED | SIX,
    "smollm3": WINDOW | {"use_sliding_window": True} | MIXED | SIX,
    "gpt_oss": WINDOW | EXPERTS,
    "llama4_text": {"attention_chunk_size": 8, "intermediate_size_mlp": 48} | EXPERTS,
    "deepseek_v3": LATENT,
}
# Models that also see pictures keep the settings of their language models in `text_config`.
NESTED: dict[str, dict[str, Any]] = {
    "gemma3": WINDOW | MIXED | SIX,
    "mistral3": WINDOW,
    "qwen2_5_vl": {"rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2]}},
    "qwen3_vl": {},
    "llava": {},
}
UNKNOWN: dict[str, dict[str, Any]] = {
    "qwen3_next": {"layer_types": ["linear_attention", "full_attention"] * 2},
    "qwen3_5_text": {"layer_types": ["linear_attention", "full_attention"] * 2},
    "lfm2": {"layer_types": ["conv", "full_attention"] * 2},
    "mamba": {},
}
EYES = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "image_size": 28, "patch_size": 14, "depth": 1, "num_heads": 2, "out_hidden_size": 32,
}  # fmt: skip


def build(kind: str, settings: dict[str, Any]) -> Any:
    """A tiny model of a type, its random weights large enough to tell tokens apart."""
    shape = SHAPE | settings
    config = AutoConfig.for_model(kind)
    if kind in NESTED:
        known = config.vision_config.to_dict()
        eyes = {name: value for name, value in EYES.items() if name in known}
        text = {"model_type": config.text_config.model_type} | shape
        config = AutoConfig.for_model(kind, text_config=text, vision_config=eyes)
    else:
        known = config.to_dict() | config.attribute_map
        shape = {name: value for name, value in shape.items() if name in known}
        config = AutoConfig.for_model(kind, **shape)
    torch.manual_seed(0)
    model = model_class(kind, config).from_config(config, dtype=torch.float32).eval()
    for weights in model.parameters():
        if weights.dim() > 1:
            torch.nn.init.normal_(weights, std=0.3)
    return model


def engine_writes(model: Any, prompts: list[list[int]]) -> list[list[int]]:
    """What the engine writes after each prompt, two rows at a time."""
    batch = DecodingBatch(model, end_tokens=set(), pad_token=0)
    greedy = Sampling(temperature=0, top_k=0, top_p=1, repetition_penalty=1, max_tokens=LONG)
    rows = [Row(prompt, greedy, random.Random(0), lambda written: False) for prompt in prompts]
    waiting = [*rows]
    while waiting or batch.rows:
        if waiting and len(batch.rows) < 2:
            batch.join([waiting.pop(0)])
        else:
            batch.step()
    return [row.generated for row in rows]


def model_writes(model: Any, prompts: list[list[int]]) -> list[list[int]]:
    """What ``model.generate`` writes after each prompt, by itself."""
    model.generation_config.update(eos_token_id=None, pad_token_id=0)
    texts = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        mask = torch.ones_like(ids)
        whole = model.generate(ids, attention_mask=mask, max_new_tokens=LONG, do_sample=False)
        texts.append(whole[0, len(prompt) :].tolist())
    return texts


@pytest.mark.parametrize("kind", [*PLAIN, *NESTED])
def test_a_greedy_text_is_that_of_the_model_itself(kind: str) -> None:
    model = build(kind, (PLAIN | NESTED)[kind])
    prompts = [torch.randint(3, 60, (length,)).tolist() for length in (5, 30, 1, 17)]
    expected = model_writes(model, prompts)
    assert len({tuple(text) for text in expected}) > 1, "nothing would be compared"
    assert engine_writes(model, prompts) == expected


@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_is_no_attention_is_refused(kind: str) -> None:
    model = build(kind, UNKNOWN[kind])
    with pytest.raises(UserError, match=r"knows no layers of type (linear_attention|conv)"):
        DecodingBatch(model, end_tokens=set(), pad_token=0)


@pytest.mark.parametrize("kind", ["bloom", "rwkv", "openai-gpt", "recurrent_gemma"])
def test_what_has_no_positions_or_cache_is_refused(kind: str) -> None:
    model = build(kind, {"n_head": 4, "n_layer": 2, "attention_window_size": 8})
    with pytest.raises(UserError, match="engine: the transformers engine cannot write with models"):
        engine_writes(model, [[3, 4, 5]])


@pytest.mark.parametrize("kind", ["bert", "roberta", "t5", "clip"])
def test_what_writes_no_texts_is_refused(kind: str) -> None:
    with pytest.raises(UserError, match=f"no model of type {kind} that writes texts"):
        model_class("small", AutoConfig.for_model(kind))
