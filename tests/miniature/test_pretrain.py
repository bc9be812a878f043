"""Pre-training: what a step sees, and that the fast attention is the ordinary causal one."""

import random

import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer

from miniature import curriculum, pretrain
from miniature.architecture import chunked_attention, new_model
from miniature.curriculum import Example
from sl_dagster import demo

MODEL = demo.FOLDER / "model"


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(MODEL)


def small_model():
    return new_model(vocabulary=512, hidden=64, layers=2, intermediate=64, eos=2, pad=0)


@pytest.mark.parametrize("tokens", [5, 128, 300])
def test_the_fast_attention_is_causal_attention(tokens):
    query, key, value = (torch.randn(2, 3, tokens, 32) for _ in range(3))
    fast, _ = chunked_attention(nn.Identity(), query, key, value, None, scaling=32**-0.5)
    reference = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    torch.testing.assert_close(fast, reference.transpose(1, 2))


def test_a_saved_snapshot_loads_and_leaves_the_model_in_training_as_it_was(tokenizer, tmp_path):
    model = small_model()
    model.set_attn_implementation("chunked")
    ids = torch.arange(300).reshape(2, 150)
    with torch.no_grad():
        before = model(ids, use_cache=False).logits
        pretrain.save(model, tokenizer, tmp_path)
        after = model(ids, use_cache=False).logits
    assert torch.equal(before, after)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    with torch.no_grad():
        torch.testing.assert_close(loaded(ids).logits, before, atol=0.1, rtol=0.1)


def test_what_an_example_teaches_is_the_answer_and_its_end(tokenizer):
    row = pretrain.row_of(Example("judge", "Say yes.", "yes"), tokenizer, invented_weight=0.5)
    learned = [t for t, w in zip(row.tokens, row.learned, strict=True) if w]
    assert tokenizer.decode(learned) == "yes<|im_end|>"
    assert tokenizer.decode(row.tokens) == (
        "<|im_start|>user\nSay yes.<|im_end|>\n<|im_start|>assistant\nyes<|im_end|>\n"
    )


def test_a_begun_turn_is_given_and_a_cut_answer_teaches_no_end(tokenizer):
    example = Example("extend", "Go on.", "two", begun="one\n\n", ended=False)
    row = pretrain.row_of(example, tokenizer, invented_weight=0.5)
    learned = [t for t, w in zip(row.tokens, row.learned, strict=True) if w]
    assert tokenizer.decode(learned) == "two"
    assert tokenizer.decode(row.tokens).endswith("<|im_start|>assistant\none\n\ntwo\n")


def test_rows_of_a_batch_are_filled_and_equally_long(tokenizer):
    batches = pretrain.Batches(random.Random(0), tokenizer, tokens=1280)
    padding = tokens = 0
    for _ in range(40):
        rows = batches.next(progress=0.9)
        assert len({len(row) for row in rows}) == 1
        assert len(rows[0]) in (*pretrain.ROW_LENGTHS, pretrain.CONVERSATION)
        for row in rows:
            assert len(row.tokens) == len(row.learned) == len(row.tasks)
            padding += row.tasks.count("")
            tokens += len(row)
    assert padding / tokens < 0.15


def test_positions_only_grow_and_stay_in_the_context(tokenizer):
    rng = random.Random(0)
    row = pretrain.row_of(curriculum.extension_example(rng), tokenizer, 1.0)
    gaps = 0
    for _ in range(50):
        steps = pretrain.positions(rng, row, progress=0.9).diff()
        assert steps.min() >= 1
        gaps += int(steps.max() > 1)
    assert 10 < gaps < 50
    assert torch.equal(pretrain.positions(rng, row, 0.0), torch.arange(len(row)))


def test_an_interrupted_training_goes_on_where_it_was(tokenizer, tmp_path):
    rows = pretrain.Batches(random.Random(0), tokenizer, tokens=640).next(progress=0.0)
    places = torch.arange(len(rows[0])).expand(len(rows), -1)

    def big_enough():
        return new_model(len(tokenizer), hidden=64, layers=2, intermediate=64, eos=2, pad=0)

    first = pretrain.Training(big_enough(), tokenizer, tokens=10**6, out=tmp_path)
    losses, learned = first._learn(pretrain._hidden_states, rows, places)
    first.progress.step(rows, losses, learned, seconds=1.0)
    first._save()

    second = pretrain.Training(big_enough(), tokenizer, tokens=10**6, out=tmp_path)
    assert second.progress == first.progress and second.progress.tokens == learned.numel()
    again, _ = first._learn(pretrain._hidden_states, rows, places)
    resumed, _ = second._learn(pretrain._hidden_states, rows, places)
    torch.testing.assert_close(resumed, again)
    for one, other in zip(first.model.parameters(), second.model.parameters(), strict=True):
        torch.testing.assert_close(one, other)
