"""The miniature model before training: a small Qwen2 whose first layers already know how to copy.

What belongs here: the model's shape, the start values of its weights, and an attention that trains
fast on a CPU.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, Qwen2Config, Qwen2ForCausalLM
from transformers.masking_utils import AttentionMaskInterface

HEAD_SIZE = 32
ROPE_THETA = 1e6
_CHUNK = 128
# Layer 0: distances of the previous-token heads. Layer 1: what each induction head compares.
_DISTANCES = (1, 2, 3, 4)
_COMPARED = ((1, 2), (2, 3), (1, 2, 3, 4), (1, 2, 3, 4))


def new_model(
    vocabulary: int, hidden: int, layers: int, intermediate: int, eos: int, pad: int
) -> Qwen2ForCausalLM:
    """An untrained model with tied embeddings, heads of 32 and a context of 4,096 tokens."""
    config = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=hidden // HEAD_SIZE,
        num_key_value_heads=hidden // HEAD_SIZE,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=eos,
        pad_token_id=pad,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
    )
    model = Qwen2ForCausalLM(config)
    model.generation_config.eos_token_id = eos
    model.generation_config.pad_token_id = pad
    if hidden >= len(_DISTANCES) * HEAD_SIZE:
        _start_with_induction_heads(model)
    return model


@torch.no_grad()
def _start_with_induction_heads(model: Qwen2ForCausalLM, scale: float = 0.1) -> None:
    """Start some heads of the first two layers as the circuit that copies.

    In layer 0, head d attends to the token d places back (d = 1 to 4), through biases that RoPE
    turns into a preferred distance, and writes what it sees into a subspace of its own. In layer 1,
    a head compares the current token and those before it with the tokens before each earlier place,
    and copies the token found there, the one that followed last time. Comparing several tokens at
    once finds the right place even when sentences begin alike. Small models find this circuit late
    or never by themselves; training may change all of it.
    """
    hidden = model.config.hidden_size
    assert isinstance(hidden, int)
    size, pairs = HEAD_SIZE, HEAD_SIZE // 2
    frequency = ROPE_THETA ** (-torch.arange(pairs) / pairs)
    model.model.embed_tokens.weight.normal_(0, scale)
    first: Any = model.model.layers[0].self_attn
    second: Any = model.model.layers[1].self_attn
    read = _orthogonal(hidden, size).T
    # Where the token itself (0) and the tokens d places back are found after layer 0.
    write = _orthogonal(hidden, len(_DISTANCES) * size)
    found = [read, *(write[:, k * size : (k + 1) * size].T for k in range(len(_DISTANCES)))]
    for head, distance in enumerate(_DISTANCES):
        rows = slice(head * size, (head + 1) * size)
        first.q_proj.weight[rows] = 0
        first.k_proj.weight[rows] = 0
        first.q_proj.bias[rows] = 7.0 * torch.cat([torch.ones(pairs), torch.zeros(pairs)])
        turned = [torch.cos(distance * frequency), torch.sin(distance * frequency)]
        first.k_proj.bias[rows] = 7.0 * torch.cat(turned)
        first.v_proj.weight[rows] = read
        first.o_proj.weight[:, rows] = found[distance].T * scale * 2
    # Dimensions that RoPE hardly turns: content matched there is matched at any distance.
    slow = [i for i in range(size) if i % pairs >= pairs // 2]
    for head, compared in enumerate(_COMPARED):
        rows = slice(head * size, (head + 1) * size)
        second.q_proj.weight[rows] = 0
        second.k_proj.weight[rows] = 0
        seen = _orthogonal(size, size)  # each head looks at other directions of the tokens
        for k, dim in enumerate(slow):
            distance = compared[k % len(compared)]
            second.q_proj.weight[head * size + dim] = 4.0 * seen[k] @ found[distance - 1]
            second.k_proj.weight[head * size + dim] = 4.0 * seen[k] @ found[distance]
        copied = _orthogonal(hidden, size).T
        second.v_proj.weight[rows] = copied
        second.o_proj.weight[:, rows] = copied.T * scale * 2


def _orthogonal(rows: int, columns: int) -> Tensor:
    return torch.linalg.qr(torch.randn(rows, columns))[0]


def chunked_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: None, **kwargs
) -> tuple[Tensor, None]:
    """Exact causal attention, a chunk of queries at a time.

    On a CPU it trains about twice as fast as torch's own.

    Args:
        query, key, value: [batch, heads, tokens, head size]; no padding, no cache.

    Returns:
        [batch, tokens, heads, head size], and no attention weights.
    """
    tokens = query.shape[2]
    query = query * kwargs["scaling"]
    outputs = []
    for start in range(0, tokens, _CHUNK):
        end = min(start + _CHUNK, tokens)
        scores = query[:, :, start:end] @ key[:, :, :end].transpose(-1, -2)
        future = torch.ones(end - start, end, dtype=torch.bool).triu(start + 1)
        weights = functional.softmax(scores.masked_fill(future, float("-inf")), dim=-1)
        outputs.append(weights.to(value.dtype) @ value[:, :, :end])
    return torch.cat(outputs, dim=2).transpose(1, 2), None


AttentionInterface.register("chunked", chunked_attention)
AttentionMaskInterface.register("chunked", lambda *args, **kwargs: None)
