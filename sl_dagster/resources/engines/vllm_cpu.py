"""What this project changes in vLLM on CPUs: how it starts, waits, samples, and adds adapters.

**Starting.** On CPUs, vLLM starts each of its three processes anew, and each imports all of it, for
seven seconds. The one that schedules computes nothing, so that it can be forked, as it is on GPUs.

**Waiting.** While vLLM's processes wait for one another they look at shared memory again and again,
and only sleep when a second has passed. On a CPU that is the time of those that compute: on two
cores one is lost, and a run beside it goes at half its speed. So they sleep for a moment each time.

**Sampling.** Where a request has both ``top_k`` and ``top_p``, as the paper's have, vLLM sorts the
whole vocabulary for every token. What ``top_k`` leaves is a few tokens, and those are sorted fast.

**Adapters.** vLLM copies the adapter's weights for every token of a step, those of a prompt too,
and for the logits also where there is no adapter. A step's tokens are of few adapters, so one
product for each adapter does.

bench/README.md has what they bring.
"""

import multiprocessing
import time
from multiprocessing.context import BaseContext
from typing import Any

import torch

# Far less than a step of any model takes, and long enough to take next to no processor time.
_SECONDS = 0.0005

# Up to this share of the vocabulary PyTorch finds the largest without sorting what is left.
_SHARE = 1 / 64


def sleep() -> None:
    """What vLLM does between two looks at shared memory."""
    time.sleep(_SECONDS)


def forks() -> BaseContext:
    """How vLLM's server starts the process that schedules; that one starts those that compute."""
    return multiprocessing.get_context("fork")


def likeliest(
    of_all: Any, logits: torch.Tensor, k: Any, p: Any, *args: Any, **named: Any
) -> torch.Tensor:
    """What vLLM's ``apply_top_k_top_p_pytorch`` gives, by sorting only what ``top_k`` can leave.

    Args:
        of_all: vLLM's function.
        logits: of a step, [requests, vocabulary]; they are changed.
        k: ``top_k`` of each request, the size of the vocabulary where there is no limit; or None.
        p: ``top_p`` of each request; or None.
        args: the function's other arguments, as are those that are named.
    """
    if k is None or p is None or (most := int(k.max())) > logits.shape[1] * _SHARE:
        return of_all(logits, k, p, *args, **named)
    lowest = logits.topk(most, dim=1).values.gather(1, k.long().unsqueeze(1) - 1)
    # More than k where several are as likely as the last of them: vLLM leaves all of those.
    count = int((logits >= lowest).sum(dim=1).max())
    values, places = logits.topk(count, dim=1)
    left = of_all(values, k, p, *args, **named)
    return logits.fill_(-float("inf")).scatter_(1, places, left)


def shrink(
    inputs: torch.Tensor,
    weights: torch.Tensor,
    output: torch.Tensor,
    adapters: torch.Tensor,
    scaling: float = 1.0,
) -> None:
    """vLLM's ``bgmv_shrink``: what goes into an adapter, made as narrow as its rank.

    Args:
        inputs: [tokens, width].
        weights: of all adapters, [adapters, 1, rank, width] or [adapters, rank, width].
        output: [tokens, rank or more]; the first of each row are written.
        adapters: which adapter each token has, [tokens].
        scaling: what the products are multiplied with.
    """
    products = _products(inputs, weights, adapters, output.dtype)
    output[:, : products.shape[1]] = scaling * products


def expand(
    inputs: torch.Tensor,
    weights: torch.Tensor,
    output: torch.Tensor,
    adapters: torch.Tensor,
    add_inputs: bool = True,
) -> None:
    """vLLM's ``bgmv_expand``: what comes out of an adapter, added to what the layer gives.

    Args:
        inputs: [tokens, rank].
        weights: of all adapters, [adapters, 1, width, rank] or [adapters, width, rank].
        output: [tokens, width]; the wider of the two widths is padding.
        adapters: which adapter each token has, [tokens].
        add_inputs: add to the output, in place of overwriting it.
    """
    width = min(output.shape[1], weights.shape[-2])
    expand_slice(inputs, weights[..., :width, :], output, adapters, 0, width, add_inputs)


def expand_slice(
    inputs: torch.Tensor,
    weights: torch.Tensor,
    output: torch.Tensor,
    adapters: torch.Tensor,
    slice_offset: int,
    slice_size: int,
    add_inputs: bool = True,
) -> None:
    """vLLM's ``bgmv_expand_slice``: ``expand`` for some columns of the output."""
    products = _products(inputs, weights, adapters, output.dtype)[: output.shape[0]]
    part = output[:, slice_offset : slice_offset + slice_size]
    if add_inputs:
        part += products
    else:
        part[:] = products


def _products(
    inputs: torch.Tensor, weights: torch.Tensor, adapters: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    """Each row times the weights of its own adapter."""
    inputs, weights = inputs.to(dtype), weights.flatten(0, -3)
    used = adapters.unique().tolist()
    if len(used) == 1:
        return inputs @ weights[used[0]].to(dtype).T
    products = inputs.new_empty(len(inputs), weights.shape[1])
    for adapter in used:
        rows = adapters == adapter
        products[rows] = inputs[rows] @ weights[adapter].to(dtype).T
    return products
