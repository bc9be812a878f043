"""Examples that lie end to end in one sequence: attention in which each sees only itself.

A batch is then as long as its examples together, with no padding. Transformers does this with flash
attention only; elsewhere, as on CPUs, it masks the whole sequence, which costs its length squared.
"""

from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

_NAME = "sl_dagster_end_to_end"
_BLOCK = 256  # tokens
# All that is attended to is kept for the way back, which is the length squared.
_LONGEST_IN_BLOCKS = 1280  # tokens


def lay_end_to_end(model: Any) -> bool:
    """Make a model take examples end to end.

    Args:
        model: a language model as it was loaded.

    Returns:
        Whether it can: all its layers must see all that stands before, by PyTorch's own attention,
        and none may remember in another way.
    """
    text = model.config.get_text_config(decoder=True)
    full = set(getattr(text, "layer_types", None) or ["full_attention"]) == {"full_attention"}
    window = getattr(text, "sliding_window", None) and getattr(text, "use_sliding_window", True)
    chunk = getattr(text, "attention_chunk_size", None)
    plain = full and not window and not chunk and not model._is_stateful
    if not (plain and model._supports_attention_backend and text._attn_implementation == "sdpa"):
        return False
    # cuDNN's attention is planned anew for each length, and each example has its own: on an H100
    # that made an update of SmolLM2-135M take 2.7 seconds.
    torch.backends.cuda.enable_cudnn_sdp(False)
    AttentionInterface.register(_NAME, _each_by_itself)
    model.set_attn_implementation(_NAME)
    return True


def _each_by_itself(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    cu_seq_lens_q: torch.Tensor,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention within each example.

    Args:
        module: the attention layer.
        query, key, value: shape (1, heads, tokens, size of a head).
        attention_mask: there is none.
        cu_seq_lens_q: where the examples begin, and the end of the last one; TRL's collator says.

    Returns:
        Shape (1, tokens, heads, size of a head); and no attention weights.
    """
    assert attention_mask is None
    lengths = cu_seq_lens_q.diff().tolist()
    parts = zip(*(states.split(lengths, dim=2) for states in (query, key, value)), strict=True)
    low_precision = torch.is_autocast_enabled("cpu") and query.device.type == "cpu"
    in_blocks = low_precision and not kwargs.get("dropout")
    outputs = [
        _in_blocks(q, k, v, kwargs["scaling"])
        if in_blocks and q.shape[2] <= _LONGEST_IN_BLOCKS
        else sdpa_attention_forward(module, q, k, v, None, **kwargs)[0]
        for q, k, v in parts
    ]
    return torch.cat(outputs, dim=1), None


def _in_blocks(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float
) -> torch.Tensor:
    """Causal attention of one example, block by block of its tokens, in low precision on a CPU.

    PyTorch's own needs twice as long for this, most of it going back. (bench/training.py)

    Args: as of ``_each_by_itself``.

    Returns:
        Shape (1, tokens, heads, size of a head).
    """
    dtype = torch.get_autocast_dtype("cpu")
    query, key, value = (states[0].to(dtype) for states in (query, key, value))
    groups = query.shape[0] // key.shape[0]
    key, value = (states.repeat_interleave(groups, dim=0) for states in (key, value))
    blocks = []
    with torch.autocast("cpu", enabled=False):
        for begin in range(0, query.shape[1], _BLOCK):
            asking = query[:, begin : begin + _BLOCK]
            seen = begin + asking.shape[1]
            later = torch.full((asking.shape[1], seen), -torch.inf, dtype=dtype).triu(begin + 1)
            scores = torch.baddbmm(
                later.expand(len(query), -1, -1), asking, key[:, :seen].mT, alpha=scaling
            )
            blocks.append(torch.bmm(scores.softmax(dim=-1), value[:, :seen]))
    return torch.cat(blocks, dim=1).transpose(0, 1)[None]
