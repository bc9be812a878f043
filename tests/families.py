"""Tiny models of real architectures, built from their configs, with random weights.

Their chat templates are short versions of the real families', written for these tests.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    Gemma3Config,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from sl_dagster.method.prompts import Message

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
}
# Of the part of a model that sees pictures.
EYES = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}

CHATML = r"""
{%- if messages[0].role != "system" -%}
  {{- "<|im_start|>system\nYou help.<|im_end|>\n" -}}
{%- endif -%}
{%- for message in messages -%}
  {{- "<|im_start|>" + message.role + "\n" + message.content + "<|im_end|>\n" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "<|im_start|>assistant\n" -}}{%- endif -%}
"""

# An answer always has its thoughts; with thinking off, they are empty and already given.
CHATML_WITH_THOUGHTS = r"""
{%- set thoughts = "<think>\n\n</think>\n\n" -%}
{%- for message in messages -%}
  {{- "<|im_start|>" + message.role + "\n" -}}
  {%- if message.role == "assistant" -%}{{- thoughts -}}{%- endif -%}
  {{- message.content + "<|im_end|>\n" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- "<|im_start|>assistant\n" -}}
  {%- if enable_thinking is false -%}{{- thoughts -}}{%- endif -%}
{%- endif -%}
"""

LLAMA3 = r"""
{%- set header = "<|start_header_id|>%s<|end_header_id|>\n\n" -%}
{{- bos_token -}}
{%- for message in messages -%}
  {{- header % message.role + message.content | trim + "<|eot_id|>" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- header % "assistant" -}}{%- endif -%}
"""


@dataclass(frozen=True)
class Family:
    """What makes a family of models.

    Attributes:
        config: class of its architecture's config.
        template: its chat template.
        special: its special tokens.
        end: the one that ends a turn.
        bos: the one that begins a chat, if there is one.
        template_kwargs: what its template is told.
        nested: whether the config keeps the language model's settings in ``text_config``.
    """

    config: type
    template: str
    special: tuple[str, ...]
    end: str
    bos: str | None = None
    template_kwargs: dict[str, Any] = field(default_factory=dict)
    nested: bool = False


FAMILIES = {
    "qwen2": Family(
        Qwen2Config, CHATML, ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), "<|im_end|>"
    ),
    "llama": Family(
        LlamaConfig,
        LLAMA3,
        ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "<|eot_id|>",
        bos="<|begin_of_text|>",
    ),
    "qwen3": Family(
        Qwen3Config,
        CHATML_WITH_THOUGHTS,
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        "<|im_end|>",
        template_kwargs={"enable_thinking": False},
    ),
    "gemma3": Family(
        Gemma3Config,
        CHATML,
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        "<|im_end|>",
        nested=True,
    ),
}


def user(content: str) -> Message:
    """A user's message."""
    return Message(role="user", content=content)


def assistant(content: str) -> Message:
    """An assistant's message."""
    return Message(role="assistant", content=content)


def build_tokenizer(family: Family, template: str | None = None) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer of a few hundred tokens with the family's chat template."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(family.special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["Write a story about an old lantern. It shone."] * 4, trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=family.end, bos_token=family.bos
    )
    made.chat_template = family.template if template is None else template
    return made


# What looks like a special token in a template.
_SPECIAL = r"<[|｜][^<>\s{}'\"]+?[|｜]>|<\|?\w+\|?>(?=\\n|['\"{]|$)|</s>|\[/?INST\]"


def tokenizer_with(template: str, eos: str = "<|endoftext|>") -> PreTrainedTokenizerFast:
    """A tokenizer for a chat template, with the special tokens that the template writes."""
    written = set(re.findall(_SPECIAL, template)) - {"<think>", "</think>"}
    special = tuple(sorted(written | {eos, "<s>"}))
    return build_tokenizer(Family(Qwen2Config, template, special, eos, bos="<s>"))


def build_model(family: Family, folder: Path, **settings: Any) -> None:
    """A model of the family, with its tokenizer, as it would lie on a disk.

    Args:
        settings: of its config, besides those that make it tiny.
    """
    tokenizer = build_tokenizer(family)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    tokens = {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
    text = SIZES | tokens | {"vocab_size": len(tokenizer)} | settings
    if family.nested:
        # A window that is shorter than any chat, and beside it a layer that sees everything.
        layers = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 8}
        config = family.config(text_config=text | layers, vision_config=EYES, **tokens)
    else:
        config = family.config(**text)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
