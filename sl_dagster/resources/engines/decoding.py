"""Batched decoding with a transformers model: a batch that rows join and leave at any step.

``model.generate`` keeps every row until the last one ends and knows one set of sampling parameters
per batch; here finished rows leave at once, waiting ones take their place, and each row samples its
own way. This module knows tensors and rows; requests and threads are the engine's business.
"""

import inspect
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import llguidance
import numpy as np
import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from sl_dagster.errors import UserError
from sl_dagster.experiment import Sampling
from sl_dagster.method.filters import END_OF_TURN, STOP_STRING
from sl_dagster.resources.engines.attention import AttentionMasks

_CANNOT = "engine: the transformers engine cannot write with models"
_INSTEAD = ": use the vllm engine for this one"
_TOKENS_AHEAD = 256  # for which there is room before it is made anew


@dataclass
class Row:
    """One sequence being generated.

    Attributes:
        prompt: token ids of the prompt.
        sampling: how its tokens are drawn.
        draw: its own stream of random numbers.
        is_stopped: given the generated ids, says whether a stop string has been written.
        choices: if there are any, all that may be generated, end tokens included.
        probability: of ``generated`` among the choices, if that is to be known.
        grammar: if there is one, it says which token may follow, end tokens included.
        generated: token ids so far, without the end token.
        finish_reason: set when the row is done.
    """

    prompt: list[int]
    sampling: Sampling
    draw: random.Random
    is_stopped: Callable[[list[int]], bool]
    choices: list[list[int]] = field(default_factory=list)
    probability: float | None = None
    grammar: llguidance.LLMatcher | None = None
    generated: list[int] = field(default_factory=list)
    finish_reason: str | None = None

    @property
    def reserved_tokens(self) -> int:
        """The most tokens it can come to occupy."""
        return len(self.prompt) + self.sampling.max_tokens

    @property
    def candidates(self) -> list[int] | None:
        """What the next token must be one of; None if it may be any."""
        if self.grammar:
            allowed = np.frombuffer(self.grammar.compute_logit_bias(), dtype=np.uint8)
            return np.flatnonzero(allowed).tolist()
        if not self.choices:
            return None
        place = len(self.generated)
        return [choice[place] for choice in self.choices if choice[:place] == self.generated]

    def accept(self, token: int, end_tokens: set[int]) -> None:
        """Take the next token, and see whether it was the last."""
        if token in end_tokens:
            self.finish_reason = END_OF_TURN
            return
        self.generated.append(token)
        if self.grammar:
            self.grammar.consume_token(token)
        if self.is_stopped(self.generated):
            self.finish_reason = STOP_STRING
        elif len(self.generated) >= self.sampling.max_tokens:
            self.finish_reason = "length"


class DecodingBatch:
    """Rows that are generated together, each in a slot of its own in the key/value cache."""

    def __init__(self, model: Any, end_tokens: set[int], pad_token: int) -> None:
        """An empty batch.

        Raises:
            UserError: the model has layers that are not attention, or of an unknown kind, or is not
                told where its tokens stand.
        """
        self.rows: list[Row] = []
        self._model = model
        self._end_tokens = end_tokens
        self._pad_token = pad_token
        self._masks = AttentionMasks(model.config)
        _check_forward(model)
        self._slots = _Slots()
        self._seen = torch.empty(0, 0, dtype=torch.bool, device=model.device)

    @torch.inference_mode()
    def join(self, rows: list[Row]) -> list[Row]:
        """Read the prompts of new rows and draw their first token.

        Returns:
            The rows that are already done.
        """
        device = self._model.device
        longest = max(len(row.prompt) for row in rows)
        padded = [row.prompt + [self._pad_token] * (longest - len(row.prompt)) for row in rows]
        ids = torch.tensor(padded, device=device)
        lengths = torch.tensor([len(row.prompt) for row in rows], device=device)
        cache = DynamicCache()
        # Padding stands after the prompts, where attention never looks, so no mask is needed; the
        # logits are those of each prompt's last token.
        ends, which = torch.unique(lengths - 1, return_inverse=True)
        output = self._model(
            input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=ends
        )
        logits = output.logits[torch.arange(len(rows), device=device), which].float()
        within = torch.arange(longest, device=device) < lengths[:, None]
        # Padding goes to a column of its own, beyond the vocabulary.
        seen = torch.zeros(len(rows), logits.shape[1] + 1, dtype=torch.bool, device=device)
        seen = seen.scatter_(1, ids.where(within, logits.shape[1]), True)[:, :-1]
        self._slots.add(cache, lengths)
        self._seen = torch.cat([self._seen, seen]) if self.rows else seen
        self.rows = self.rows + rows
        self._draw(rows, logits, seen)
        return self._leave()

    @torch.inference_mode()
    def step(self) -> list[Row]:
        """Draw one more token for every row.

        Returns:
            The rows that are now done; they have left the batch.
        """
        ids = torch.tensor([[row.generated[-1]] for row in self.rows], device=self._model.device)
        positions = self._slots.lengths[:, None].clone()
        output = self._model(
            input_ids=ids,
            attention_mask=self._masks.of(positions, self._model.dtype),
            position_ids=positions,
            past_key_values=self._slots.cache,
            use_cache=True,
        )
        self._slots.lengths += 1
        self._seen.scatter_(1, ids, True)
        self._draw(self.rows, output.logits[:, -1].float(), self._seen)
        return self._leave()

    def _draw(self, rows: list[Row], logits: torch.Tensor, seen: torch.Tensor) -> None:
        for index, row in enumerate(rows):
            allowed = row.candidates
            if allowed is not None:
                restricted = torch.full_like(logits[index], -torch.inf)
                restricted[allowed] = logits[index, allowed]
                logits[index] = restricted
        tokens = sample(
            logits,
            seen,
            [row.sampling for row in rows],
            [row.draw.random() for row in rows],
        )
        for index, (row, token) in enumerate(zip(rows, tokens, strict=True)):
            if row.probability is not None:
                # All end tokens end the same choice.
                same = list(self._end_tokens) if token in self._end_tokens else [token]
                row.probability *= float(logits[index].softmax(dim=0)[same].sum())
            row.accept(token, self._end_tokens)

    def _leave(self) -> list[Row]:
        """Take finished rows out, letting the last row move into each slot that becomes free."""
        done = []
        for index in reversed(range(len(self.rows))):
            if self.rows[index].finish_reason:
                done.append(self.rows[index])
                last = self.rows.pop()
                if index < len(self.rows):
                    self.rows[index] = last
                    self._seen[index] = self._seen[len(self.rows)]
                self._slots.remove(index)
        self._seen = self._seen[: len(self.rows)]
        return done


def sample(
    logits: torch.Tensor, seen: torch.Tensor, samplings: list[Sampling], numbers: list[float]
) -> list[int]:
    """Draw one token per row, each row with its own parameters.

    Args:
        logits: float32, shape (rows, vocabulary).
        seen: which tokens each row's prompt or text already has, for the repetition penalty.
        samplings: parameters, one per row.
        numbers: one uniform number in [0, 1) per row, which decides the draw.

    Returns:
        One token id per row.
    """
    device = logits.device

    def column(values: Sequence[float]) -> torch.Tensor:
        return torch.tensor(values, device=device)[:, None]

    if any(s.repetition_penalty != 1 for s in samplings):
        penalty = column([s.repetition_penalty for s in samplings])
        penalised = torch.where(logits > 0, logits / penalty, logits * penalty)
        logits = torch.where(seen, penalised, logits)
    vocabulary = logits.shape[1]
    limits = [min(s.top_k or vocabulary, vocabulary) if s.temperature else 1 for s in samplings]
    best, ids = logits.topk(max(limits), dim=1)
    best = best / column([s.temperature or 1.0 for s in samplings])
    ranks = torch.arange(best.shape[1], device=device)
    best = best.masked_fill(ranks >= column(limits), -torch.inf)
    probabilities = best.softmax(dim=1)
    cumulative = probabilities.cumsum(dim=1)
    # A token stays while those before it have less than top_p; so the likeliest always stays.
    stays = cumulative - probabilities < column([s.top_p for s in samplings])
    stays &= best != -torch.inf
    if not stays[:, 0].all():
        raise UserError(
            "base_model: the model's logits are not numbers (NaN); its weights or its adapter are "
            "broken, or its precision is too low for them"
        )
    total = (probabilities * stays).sum(dim=1, keepdim=True)
    chosen = (cumulative <= column(numbers) * total).sum(dim=1, keepdim=True)
    chosen = chosen.clamp(max=stays.sum(dim=1, keepdim=True) - 1)
    return ids.gather(1, chosen)[:, 0].tolist()


def _check_forward(model: Any) -> None:
    """A batch of rows of different lengths needs a model that takes their places and a cache."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    known = inspect.signature(inner.forward).parameters.keys()
    if not {"position_ids", "past_key_values"} <= known:
        raise UserError(f"{_CANNOT} that take no positions or no cache{_INSTEAD}")


class _Slots:
    """The key/value cache of a batch: one slot per row, filled from the left.

    Attributes:
        cache: what the model's forward pass takes.
        lengths: tokens in each slot, shape (rows,).
    """

    def __init__(self) -> None:
        self.cache = DynamicCache()
        self.lengths = torch.empty(0, dtype=torch.long)
        self._layers: list[_SlotLayer] = []

    def add(self, new: DynamicCache, lengths: torch.Tensor) -> None:
        """Add rows whose prompts have been read.

        Args:
            new: their keys and values, padded on the right.
            lengths: tokens of each prompt.
        """
        if not self._layers:
            self._layers = [_SlotLayer(self) for _ in new.layers]
            layers: Any = self._layers
            self.cache.layers = layers
            self.lengths = lengths[:0]
        rows = len(self.lengths)
        additions: list[Any] = new.layers
        if not additions or any(getattr(layer, "keys", None) is None for layer in additions):
            raise UserError(f"{_CANNOT} that keep something else than keys and values{_INSTEAD}")
        for layer, addition in zip(self._layers, additions, strict=True):
            layer.add(rows, addition.keys, addition.values)
        self.lengths = torch.cat([self.lengths, lengths])

    def remove(self, index: int) -> None:
        """Free a slot; the last row moves into it."""
        last = len(self.lengths) - 1
        if index != last:
            length = int(self.lengths[last])
            for layer in self._layers:
                layer.move(last, index, length)
            self.lengths[index] = self.lengths[last]
        self.lengths = self.lengths[:last]


class _SlotLayer(DynamicLayer):
    """One layer's keys and values, of shape (slots, heads, tokens, size of a head)."""

    def __init__(self, slots: _Slots) -> None:
        super().__init__()
        self._slots = slots
        self._room: list[torch.Tensor] = []

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write one token per row at its place; returns all that was written so far."""
        lengths = self._slots.lengths
        rows = torch.arange(len(lengths), device=lengths.device)
        longest = int(lengths.max()) + 1
        self._make_room(key_states, len(lengths), longest)
        for room, new in zip(self._room, (key_states, value_states), strict=True):
            room[rows, :, lengths] = new[:, :, 0]
        keys, values = (room[: len(lengths), :, :longest] for room in self._room)
        return keys, values

    def get_seq_length(self) -> int:
        """The longest row's number of tokens."""
        return int(self._slots.lengths.max()) if len(self._slots.lengths) else 0

    def add(self, rows: int, keys: torch.Tensor | None, values: torch.Tensor | None) -> None:
        """Fill the slots after the first ``rows`` ones, making room where there is too little."""
        assert keys is not None and values is not None
        slots, tokens = rows + keys.shape[0], keys.shape[2]
        self._make_room(keys, slots, tokens)
        for room, new in zip(self._room, (keys, values), strict=True):
            room[rows:slots, :, :tokens] = new

    def _make_room(self, like: torch.Tensor, slots: int, tokens: int) -> None:
        """Make room for so many slots of so many tokens, and for some tokens more.

        Few rows come to the length that they may have, and memory that is never filled costs time.
        """
        old = self._room
        there = old[0].shape if old else (0, 0, 0, 0)
        if slots <= there[0] and tokens <= there[2]:
            return
        slots, tokens = max(slots, there[0]), max(tokens + _TOKENS_AHEAD, there[2])
        # Zeros, because what memory happened to hold may be NaN, and NaN survives every mask.
        self._room = [like.new_zeros(slots, like.shape[1], tokens, like.shape[3]) for _ in "kv"]
        for room, before in zip(self._room, old, strict=False):
            room[: there[0], :, : there[2]] = before

    def move(self, source: int, target: int, length: int) -> None:
        """Copy one slot's tokens to another slot."""
        for room in self._room:
            room[target, :, :length] = room[source, :, :length]
