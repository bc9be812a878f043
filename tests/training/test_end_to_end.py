"""Examples end to end in one sequence: each is seen as if it were alone."""

from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, MistralConfig
from transformers.models.jamba import JambaConfig, JambaForCausalLM
from transformers.models.mistral import MistralForCausalLM

from sl_dagster.training import end_to_end
from sl_dagster.training.end_to_end import _BLOCK, lay_end_to_end
from sl_dagster.training.train import train
from tests.families import FAMILIES, SIZES, build_model
from tests.training.examples import new_job


@pytest.mark.parametrize("family", ["qwen2", "llama", "qwen3"])
def test_each_example_sees_only_itself(family: str, tmp_path: Path) -> None:
    build_model(FAMILIES[family], tmp_path)
    model: Any = AutoModelForCausalLM.from_pretrained(tmp_path)
    examples = [torch.randint(5, 200, (length,)) for length in (7, 1, 30)]
    alone = [model(ids[None]).logits[0] for ids in examples]
    assert lay_end_to_end(model)
    starts = torch.tensor([0, 7, 8, 38], dtype=torch.int32)
    together = model(
        torch.cat(examples)[None],
        position_ids=torch.cat([torch.arange(len(ids)) for ids in examples])[None],
        cu_seq_lens_q=starts,
        cu_seq_lens_k=starts,
    ).logits[0]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", ["qwen2", "llama"])  # the latter's heads share keys and values
@pytest.mark.parametrize("longest", [100, 1280])
def test_in_low_precision_all_is_nearly_the_same(
    family: str, longest: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the examples is longer than what is attended to at once, or by ourselves at all."""
    monkeypatch.setattr(end_to_end, "_LONGEST_IN_BLOCKS", longest)
    build_model(FAMILIES[family], tmp_path)
    model: Any = AutoModelForCausalLM.from_pretrained(tmp_path)
    lengths = (2 * _BLOCK + 9, 1, 30)
    examples = [torch.randint(5, 200, (length,)) for length in lengths]
    embedding = model.get_input_embeddings().weight

    def learnt(logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        ids = torch.cat(examples)
        [gradient] = torch.autograd.grad(cross_entropy(logits[0].float(), ids), embedding)
        return logits.detach()[0].float(), gradient

    expected = learnt(torch.cat([model(ids[None]).logits for ids in examples], dim=1))
    assert lay_end_to_end(model)
    starts = torch.tensor([0, *accumulate(lengths)], dtype=torch.int32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        together = model(
            torch.cat(examples)[None],
            position_ids=torch.cat([torch.arange(len(ids)) for ids in examples])[None],
            cu_seq_lens_q=starts,
            cu_seq_lens_k=starts,
        ).logits
    for found, exact in zip(learnt(together), expected, strict=True):
        assert (found - exact).norm() < 0.02 * exact.norm()


def test_only_models_whose_layers_see_everything() -> None:
    def model(kind: Any, config: Any) -> Any:
        return kind._from_config(config, attn_implementation=implementation)

    sizes: Any = {**SIZES, "vocab_size": 64}
    implementation = "sdpa"
    assert lay_end_to_end(model(LlamaForCausalLM, LlamaConfig(**sizes)))
    assert not lay_end_to_end(model(MistralForCausalLM, MistralConfig(**sizes, sliding_window=8)))
    assert lay_end_to_end(model(MistralForCausalLM, MistralConfig(**sizes, sliding_window=None)))
    assert not lay_end_to_end(model(JambaForCausalLM, JambaConfig(**sizes)))
    implementation = "eager"
    assert not lay_end_to_end(model(LlamaForCausalLM, LlamaConfig(**sizes)))


def test_a_batch_teaches_what_its_examples_teach_one_by_one(tmp_path: Path) -> None:
    losses = []
    for name, way in {
        "one by one": {"batch_size": 1, "gradient_accumulation": 3},
        "in a batch": {"batch_size": 3},
    }.items():
        job = new_job(tmp_path, name, epochs=2, precision="fp32", **way)
        losses.append([point.loss for point in train(job, pipes=None).losses])
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    assert losses[0][-1] < losses[0][0]
