"""What is changed in vLLM on CPUs, by its definition; ``test_vllm_plugin`` compares with vLLM."""

import pytest
import torch

from sl_dagster.resources.engines.vllm_cpu import expand, expand_slice, likeliest, shrink


def keep_all(logits: torch.Tensor, k: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    """In place of vLLM's function: nothing is dropped of what it sees."""
    return logits


def test_only_what_top_k_leaves_is_looked_at() -> None:
    logits = torch.arange(1_000.0).repeat(2, 1)
    logits[1, 5] = 998  # as likely as the last but one
    left = likeliest(keep_all, logits, torch.tensor([1, 2]), torch.tensor([0.9, 0.9]))
    assert left.isfinite().nonzero().tolist() == [
        [0, 997],
        [0, 998],
        [0, 999],
        [1, 5],
        [1, 998],
        [1, 999],
    ], "the columns of the longest row; vLLM drops what is too much of them"


@pytest.mark.parametrize("k", [None, torch.tensor([1_000])])
def test_without_a_limit_all_are_looked_at(k: torch.Tensor | None) -> None:
    logits = torch.arange(1_000.0).unsqueeze(0)
    left = likeliest(keep_all, logits.clone(), k, torch.tensor([0.9]))
    assert torch.equal(left, logits)


@pytest.mark.parametrize("adapters", [[1, 1, 1], [0, 2, 0]])
def test_each_token_goes_through_its_own_adapter(adapters: list[int]) -> None:
    states, chosen = torch.randn(3, 8), torch.tensor(adapters)
    narrow, wide = torch.randn(3, 1, 2, 8), torch.randn(3, 1, 6, 2)
    low, out, part = torch.zeros(3, 2), torch.ones(3, 6), torch.ones(3, 9)
    shrink(states, narrow, low, chosen, 0.5)
    expand(low, wide, out, chosen)
    expand_slice(low, wide, part, chosen, 2, 6, add_inputs=False)
    for token, adapter in enumerate(adapters):
        product = wide[adapter, 0] @ (0.5 * narrow[adapter, 0] @ states[token])
        torch.testing.assert_close(out[token], 1 + product)
        torch.testing.assert_close(part[token], torch.cat([torch.ones(2), product, torch.ones(1)]))
