"""Batched decoding with a transformers model: a batch that rows join and leave at any step.

``model.generate`` keeps every row until the last one ends and knows one set of sampling parameters
per batch; here finished rows leave at once, waiting ones take their place, and each row samples its
own way. This module knows tensors and rows; requests and threads are the engine's business.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from sl_dagster.experiment import Sampling

_SPARE_TOKENS = 128


@dataclass
class Row:
    """One sequence being generated.

    Attributes:
        prompt: token ids of the prompt.
        sampling: how its tokens are drawn.
        draw: its own stream of random numbers.
        is_stopped: given the generated ids, says whether a stop string has been written.
        generated: token ids so far, without the end token.
        finish_reason: set when the row is done.
    """

    prompt: list[int]
    sampling: Sampling
    draw: random.Random
    is_stopped: Callable[[list[int]], bool]
    generated: list[int] = field(default_factory=list)
    finish_reason: str | None = None

    @property
    def reserved_tokens(self) -> int:
        """The most tokens it can come to occupy."""
        return len(self.prompt) + self.sampling.max_tokens

    def accept(self, token: int, end_tokens: set[int]) -> None:
        """Take the next token, and see whether it was the last."""
        if token in end_tokens:
            self.finish_reason = "stop"
            return
        self.generated.append(token)
        if self.is_stopped(self.generated):
            self.finish_reason = "stop"
        elif len(self.generated) >= self.sampling.max_tokens:
            self.finish_reason = "length"


class DecodingBatch:
    """Rows that are generated together, padded on the left to one length."""

    def __init__(self, model: Any, end_tokens: set[int], pad_token: int) -> None:
        self._model = model
        self._end_tokens = end_tokens
        self._pad_token = pad_token
        self.rows: list[Row] = []
        self._cache = _new_cache(model.config)
        self._mask = torch.empty(0, 0, dtype=torch.long, device=model.device)
        self._seen = torch.empty(0, 0, dtype=torch.bool, device=model.device)

    @property
    def can_be_joined(self) -> bool:
        """Whether rows can join while others are being generated.

        Not with models whose cache forgets (sliding windows, recurrent layers): there, a batch
        begins when the one before it has ended.
        """
        return not self.rows or all(type(layer) is _RoomyLayer for layer in self._cache.layers)

    @torch.inference_mode()
    def join(self, rows: list[Row]) -> list[Row]:
        """Read the prompts of new rows and draw their first token.

        Returns:
            The rows that are already done.
        """
        longest = max(len(row.prompt) for row in rows)
        padded = [[self._pad_token] * (longest - len(row.prompt)) + row.prompt for row in rows]
        ids = torch.tensor(padded, device=self._model.device)
        lengths = torch.tensor([len(row.prompt) for row in rows], device=ids.device)
        mask = (torch.arange(longest, device=ids.device) >= longest - lengths[:, None]).long()
        cache = _new_cache(self._model.config)
        logits = self._forward(ids, mask, cache)
        seen = torch.zeros(logits.shape, dtype=torch.bool, device=ids.device)
        seen.scatter_(1, ids, mask.bool())
        self._draw(rows, logits, seen)
        self._merge(rows, cache, mask, seen)
        return self._leave()

    @torch.inference_mode()
    def step(self) -> list[Row]:
        """Draw one more token for every row.

        Returns:
            The rows that are now done; they have left the batch.
        """
        ids = torch.tensor([[row.generated[-1]] for row in self.rows], device=self._model.device)
        self._mask = torch.cat([self._mask, torch.ones_like(ids)], dim=1)
        logits = self._forward(ids, self._mask, self._cache)
        self._seen.scatter_(1, ids, True)
        self._draw(self.rows, logits, self._seen)
        return self._leave()

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor, cache: DynamicCache) -> torch.Tensor:
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        output = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return output.logits[:, -1].float()

    def _draw(self, rows: list[Row], logits: torch.Tensor, seen: torch.Tensor) -> None:
        tokens = sample(
            logits,
            seen,
            [row.sampling for row in rows],
            [row.draw.random() for row in rows],
        )
        for row, token in zip(rows, tokens, strict=True):
            row.accept(token, self._end_tokens)

    def _merge(
        self, rows: list[Row], cache: DynamicCache, mask: torch.Tensor, seen: torch.Tensor
    ) -> None:
        if not self.rows:
            self._cache, self._mask, self._seen = cache, mask, seen
        else:
            length = max(mask.shape[1], self._mask.shape[1])
            self._mask = torch.cat([_padded(self._mask, length), _padded(mask, length)])
            self._seen = torch.cat([self._seen, seen])
            for mine, new in zip(self._cache.layers, cache.layers, strict=True):
                assert isinstance(mine, _RoomyLayer) and isinstance(new, _RoomyLayer)
                mine.merge(new)
        self.rows = self.rows + rows

    def _leave(self) -> list[Row]:
        done = [row for row in self.rows if row.finish_reason]
        if not done:
            return []
        staying = [index for index, row in enumerate(self.rows) if not row.finish_reason]
        self.rows = [self.rows[index] for index in staying]
        keep = torch.tensor(staying, dtype=torch.long, device=self._mask.device)
        self._mask, self._seen = self._mask[keep], self._seen[keep]
        if self.rows:
            self._cache.batch_select_indices(keep)
            self._drop_common_padding()
        else:
            self._cache = _new_cache(self._model.config)
        return done

    def _drop_common_padding(self) -> None:
        if not self.can_be_joined:
            return
        padding = int(self._mask.argmax(dim=1).min())
        if padding:
            self._mask = self._mask[:, padding:]
            for layer in self._cache.layers:
                assert isinstance(layer, _RoomyLayer)
                layer.drop_first(padding)


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
    total = (probabilities * stays).sum(dim=1, keepdim=True)
    chosen = (cumulative <= column(numbers) * total).sum(dim=1, keepdim=True)
    chosen = chosen.clamp(max=stays.sum(dim=1, keepdim=True) - 1)
    return ids.gather(1, chosen)[:, 0].tolist()


class _RoomyLayer(DynamicLayer):
    """A cache layer with spare room, so that a step writes one token instead of copying all."""

    keys: torch.Tensor
    values: torch.Tensor
    _keys_room: torch.Tensor
    _values_room: torch.Tensor

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ):
        """Append the states of new tokens; returns the states of all."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._set(key_states, value_states)
            return self.keys, self.values
        length, new = self.keys.shape[-2], key_states.shape[-2]
        if length + new > self._keys_room.shape[-2]:
            self._set(self.keys, self.values)
        self._keys_room[..., length : length + new, :] = key_states
        self._values_room[..., length : length + new, :] = value_states
        self.keys = self._keys_room[..., : length + new, :]
        self.values = self._values_room[..., : length + new, :]
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep only these rows."""
        self._set(self.keys[indices], self.values[indices])

    def drop_first(self, tokens: int) -> None:
        """Forget the first tokens of every row."""
        self._keys_room = self._keys_room[..., tokens:, :]
        self._values_room = self._values_room[..., tokens:, :]
        self.keys, self.values = self.keys[..., tokens:, :], self.values[..., tokens:, :]

    def merge(self, other: "_RoomyLayer") -> None:
        """Add the rows of another layer, both padded on the left to the longer one's length."""
        length = max(self.keys.shape[-2], other.keys.shape[-2])
        pairs = ((self.keys, other.keys), (self.values, other.values))
        self._set(*(torch.cat([_padded(a, length, -2), _padded(b, length, -2)]) for a, b in pairs))

    def _set(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        length = keys.shape[-2]
        room = [*keys.shape[:-2], length + max(_SPARE_TOKENS, length // 4), keys.shape[-1]]
        self._keys_room, self._values_room = keys.new_empty(room), values.new_empty(room)
        self._keys_room[..., :length, :] = keys
        self._values_room[..., :length, :] = values
        self.keys = self._keys_room[..., :length, :]
        self.values = self._values_room[..., :length, :]


def _new_cache(config: Any) -> DynamicCache:
    cache = DynamicCache(config=config)
    cache.layers = [
        _RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers
    ]
    return cache


def _padded(tensor: torch.Tensor, length: int, dim: int = -1) -> torch.Tensor:
    """The tensor with zeros in front, so that the dimension has the given length."""
    missing = length - tensor.shape[dim]
    if not missing:
        return tensor
    shape = list(tensor.shape)
    shape[dim] = missing
    return torch.cat([tensor.new_zeros(shape), tensor], dim=dim)
