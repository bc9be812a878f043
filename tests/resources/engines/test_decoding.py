"""Drawing tokens, row by row with its own parameters."""

from collections import Counter

import pytest
import torch
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from sl_dagster.experiment import Sampling
from sl_dagster.resources.engines.decoding import sample

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
