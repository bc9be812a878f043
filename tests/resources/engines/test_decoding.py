"""Drawing tokens, row by row with its own parameters, and rows that share a batch."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from transformers import (
    LogitsProcessorList,
    Qwen2Config,
    Qwen2ForCausalLM,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from sl_dagster.errors import UserError
from sl_dagster.experiment import Sampling
from sl_dagster.resources.engines import decoding
from sl_dagster.resources.engines.decoding import DecodingBatch, Row, sample

VOCABULARY = 50
DRAWS = 4000


def sampling(**changes) -> Sampling:
    neutral = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0}
    return Sampling(**(neutral | changes))


def shares(logits: torch.Tensor, seen: torch.Tensor, how: Sampling) -> list[float]:
    """How often each token is drawn when the deciding number goes evenly through [0, 1)."""
    rows = logits.expand(DRAWS, -1)
    numbers = [(draw + 0.5) / DRAWS for draw in range(DRAWS)]
    counts = Counter(sample(rows, seen.expand(DRAWS, -1), [how] * DRAWS, numbers))
    return [counts[token] / DRAWS for token in range(VOCABULARY)]


@pytest.mark.parametrize(
    "how",
    [
        sampling(),
        sampling(temperature=0.5),
        sampling(top_k=5),
        sampling(top_p=0.6),
        sampling(temperature=1.7, top_k=20, top_p=0.9),
        sampling(repetition_penalty=1.5),
        sampling(repetition_penalty=0.7, temperature=0.8, top_p=0.8, top_k=10),
        sampling(top_p=0.001),
    ],
)
def test_the_distribution_is_that_of_transformers(how: Sampling) -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, VOCABULARY) * 2
    prompt = torch.tensor([[3, 7, 7, 11, 40]])
    seen = torch.zeros(1, VOCABULARY, dtype=torch.bool)
    seen[0, prompt[0]] = True
    processors = LogitsProcessorList(
        [
            RepetitionPenaltyLogitsProcessor(how.repetition_penalty),
            TemperatureLogitsWarper(how.temperature),
        ]
    )
    if how.top_k:
        processors.append(TopKLogitsWarper(how.top_k))
    processors.append(TopPLogitsWarper(how.top_p))
    expected = processors(prompt, logits.clone()).softmax(-1)[0]  # type: ignore[arg-type]
    drawn = torch.tensor(shares(logits, seen, how))
    assert torch.allclose(drawn, expected, atol=2 / DRAWS)


def test_temperature_zero_takes_the_likeliest() -> None:
    logits = torch.tensor([[0.0, 5.0, 4.9], [9.0, 1.0, 0.0]])
    seen = torch.zeros_like(logits, dtype=torch.bool)
    greedy = sampling(temperature=0)
    assert sample(logits, seen, [greedy] * 2, [0.999, 0.999]) == [1, 0]


def test_rows_do_not_share_their_parameters() -> None:
    logits = torch.tensor([[2.0, 1.9, 0.0]]).expand(3, -1)
    seen = torch.tensor([[False] * 3, [False] * 3, [True, False, False]])
    how = [sampling(temperature=0), sampling(top_k=2), sampling(temperature=0)]
    how[2] = sampling(temperature=0, repetition_penalty=2)
    assert sample(logits, seen, how, [0.99, 0.99, 0.99]) == [0, 1, 1]


def test_the_last_number_still_draws_a_possible_token() -> None:
    logits = torch.full((1, VOCABULARY), -torch.inf)
    logits[0, 9] = 0.0
    seen = torch.zeros_like(logits, dtype=torch.bool)
    assert sample(logits, seen, [sampling()], [1 - 1e-12]) == [9]


def test_choices_leave_nothing_else_to_draw() -> None:
    choices = [[4, 7, 0], [4, 9, 9, 0], [5, 0]]
    for number in (0.0, 0.5, 1 - 1e-12):
        row = Row([1], sampling(), random.Random(0), lambda generated: False, choices)
        while not row.finish_reason:
            candidates = row.candidates
            assert candidates
            row.accept(candidates[int(number * len(candidates))], end_tokens={0})
        assert [*row.generated, 0] in choices
        assert row.finish_reason == "stop"


def test_what_is_ruled_out_is_never_drawn() -> None:
    logits = torch.full((1, VOCABULARY), -torch.inf)
    logits[0, [3, 8]] = torch.tensor([1.0, 1.5])
    seen = torch.ones_like(logits, dtype=torch.bool)
    drawn = shares(logits, seen, sampling(temperature=50, repetition_penalty=1.3))
    assert drawn[3] + drawn[8] == 1
    assert min(drawn[3], drawn[8]) > 0.4


def test_a_broken_model_is_named_instead_of_drawn_from() -> None:
    logits = torch.full((1, VOCABULARY), torch.nan)
    with pytest.raises(UserError, match="base_model: the model's logits are not numbers"):
        sample(logits, torch.zeros_like(logits, dtype=torch.bool), [sampling()], [0.5])


@pytest.fixture
def memory_full_of_nan() -> Iterator[None]:
    """Memory that is used before it is written holds the worst that it can."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def written(model: Any, prompts: list[list[int]], at_once: int) -> list[list[int]]:
    """What the model writes greedily after each prompt, rows joining as others leave."""
    batch = DecodingBatch(model, end_tokens={0}, pad_token=0)
    greedy = [sampling(temperature=0, max_tokens=20 + 7 * k) for k in range(len(prompts))]
    rows = [
        Row(prompt, how, random.Random(0), lambda generated: False)
        for prompt, how in zip(prompts, greedy, strict=True)
    ]
    waiting = list(rows)
    while waiting or batch.rows:
        if waiting and len(batch.rows) < at_once:
            room = at_once - len(batch.rows)
            batch.join(waiting[:room])
            waiting = waiting[room:]
        else:
            batch.step()
    return [row.generated for row in rows]


@pytest.mark.usefixtures("memory_full_of_nan")
@pytest.mark.parametrize("ahead", [0, 16, 256])
def test_a_row_is_written_as_if_it_were_alone(ahead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often room is made for its tokens."""
    monkeypatch.setattr(decoding, "_TOKENS_AHEAD", ahead)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        initializer_range=0.5,
    )
    model = Qwen2ForCausalLM(config).eval()
    prompts = [torch.randint(1, VOCABULARY, (length,)).tolist() for length in (5, 60, 17, 90, 1)]
    together = written(model, prompts, at_once=2)
    assert together == written(model, prompts, at_once=1)
    assert together == written(model, prompts, at_once=5)
