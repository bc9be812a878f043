"""Examples that lie end to end in one sequence: attention in which each sees only itself.

A batch is then as long as its examples together, with no padding. Transformers does this with flash
attention only; elsewhere, as on CPUs, it masks the whole sequence, which costs its length squared.
"""

from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

_NAME = "sl_dagster_end_to_end"


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
    # that made an update of SmolLM2-135M take 2.5 seconds.
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
    outputs = [sdpa_attention_forward(module, q, k, v, None, **kwargs)[0] for q, k, v in parts]
    return torch.cat(outputs, dim=1), None
