"""Attention of a batch whose examples lie end to end on a GPU, forward and backward, in three ways.

- each example by itself, by cuDNN, which PyTorch takes where it may;
- each by itself, without cuDNN, as trainings do it (``sl_dagster/training/end_to_end.py``);
- all at once, by PyTorch's attention for sequences of various lengths.

Batches of 16 examples of 100 to 1,200 tokens in bfloat16, each batch with new lengths, for the
heads of SmolLM2-135M and of a 7B model. Prints the milliseconds of each batch, and two sums that
must be about the same whatever the way.

    python bench/attention.py
"""

import json
import time
from collections.abc import Callable, Sequence
from random import Random

import torch
from torch.nn.attention.varlen import varlen_attn
from torch.nn.functional import scaled_dot_product_attention

HEADS = {"SmolLM2-135M": (9, 64), "7B": (32, 128)}  # and the size of each
BATCHES = 8
EXAMPLES = 16
TOKENS = (100, 1200)

States = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # (1, heads, tokens, size of a head) each
Way = Callable[[States, Sequence[int]], torch.Tensor]


def main() -> None:
    """Measure each way with each model's heads, and print a line for each."""
    ways: list[tuple[str, Way, bool]] = [
        ("each by itself, cuDNN", each_by_itself, True),
        ("each by itself", each_by_itself, False),
        ("all at once", all_at_once, False),
    ]
    for model, (heads, size) in HEADS.items():
        for name, way, cudnn in ways:
            torch.backends.cuda.enable_cudnn_sdp(cudnn)
            print(json.dumps({"model": model, "way": name, **measured(way, heads, size)}))


def each_by_itself(states: States, lengths: Sequence[int]) -> torch.Tensor:
    """One call for each example."""
    parts = zip(*(one.split(list(lengths), dim=2) for one in states), strict=True)
    return torch.cat([scaled_dot_product_attention(*part, is_causal=True) for part in parts], 2)


def all_at_once(states: States, lengths: Sequence[int]) -> torch.Tensor:
    """One call for all."""
    query, key, value = (one[0].transpose(0, 1).contiguous() for one in states)
    edges = torch.tensor([0, *lengths]).cumsum(0).to("cuda", torch.int32)
    longest = max(lengths)
    output = varlen_attn(query, key, value, edges, edges, longest, longest, window_size=(-1, 0))
    assert isinstance(output, torch.Tensor)
    return output.transpose(0, 1)[None]


def measured(way: Way, heads: int, size: int) -> dict[str, object]:
    """Milliseconds of each batch, and sums of the last one's output and gradient."""
    random = Random(1)
    milliseconds = []
    for _ in range(BATCHES):
        lengths = [random.randint(*TOKENS) for _ in range(EXAMPLES)]
        generator = torch.Generator("cuda").manual_seed(1)
        shape = (1, heads, sum(lengths), size)
        query, key, value = (
            torch.randn(shape, device="cuda", dtype=torch.bfloat16, generator=generator)
            for _ in range(3)
        )
        query.requires_grad_()
        key.requires_grad_()
        value.requires_grad_()
        torch.cuda.synchronize()
        start = time.monotonic()
        output = way((query, key, value), lengths)
        output.float().pow(2).sum().backward()
        torch.cuda.synchronize()
        milliseconds.append(round((time.monotonic() - start) * 1000, 1))
    assert query.grad is not None
    sums = [float(one.detach().float().abs().sum()) for one in (output, query.grad)]
    return {"ms": milliseconds, "output": sums[0], "gradient": sums[1]}


if __name__ == "__main__":
    main()
