"""Rebuild the miniature model from nothing: tokenizer, pre-training, model card.

What belongs here: the training loop and what it reports. What is learned is in
:mod:`miniature.curriculum`.

    python -m miniature.pretrain --out sl_dagster/demo/model --tokens 22000000
"""

from __future__ import annotations

import argparse
import ctypes
import random
import sys
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch.nn import functional
from transformers import Qwen2ForCausalLM, Qwen2Tokenizer
from transformers.utils import logging as transformers_logging

from miniature import curriculum
from miniature.architecture import new_model
from miniature.curriculum import Example
from miniature.tokenizer import PAD, TURN_END, TURN_START, train_tokenizer

MAX_POSITION = 4095
MUON_RATE, ADAM_RATE = 0.01, 0.004
ROW_LENGTHS = (192, 320, 448, 640, 832)
CONVERSATION = 2048
POOL = 256
SNAPSHOTS = 50


@dataclass
class Row:
    """A conversation of one or more examples, as lists with one value per token.

    ``learned`` is the weight of predicting the token (0: given), ``starts`` are the places where an
    example's prompt or answer begins.
    """

    tokens: list[int] = field(default_factory=list)
    learned: list[float] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.tokens)

    def __add__(self, other: Row) -> Row:
        starts = self.starts + [start + len(self) for start in other.starts]
        tokens, learned = self.tokens + other.tokens, self.learned + other.learned
        return Row(tokens, learned, self.tasks + other.tasks, starts)

    def padded(self, length: int, pad: int) -> Row:
        """The row with padding at its end."""
        missing = length - len(self)
        tokens = self.tokens + [pad] * missing
        return Row(tokens, self.learned + [0.0] * missing, self.tasks + [""] * missing, self.starts)


def row_of(example: Example, tokenizer: Qwen2Tokenizer, invented_weight: float) -> Row:
    """One example as a row; answer tokens that its prompt lacks weigh ``invented_weight``."""
    given = f"{TURN_START}user\n{example.prompt}{TURN_END}\n{TURN_START}assistant\n"
    prompt = tokenizer(given + example.begun).input_ids
    answer = tokenizer(example.answer + (TURN_END if example.ended else "")).input_ids
    newline = tokenizer("\n").input_ids
    seen = set(prompt)
    weights = [1.0 if token in seen else invented_weight for token in answer]
    tokens = prompt + answer + newline
    return Row(
        tokens,
        [0.0] * len(prompt) + weights + [0.0] * len(newline),
        [example.task] * len(tokens),
        [0, len(prompt)],
    )


class Batches:
    """Batches of rows of one length each, from a pool of examples that is filled up as it empties.

    Row lengths come from a few buckets, so that the compiled model meets few shapes and pads
    little. What a row's first example leaves free is filled with further examples: a conversation
    of several turns. Some batches, late in the training, are a single long conversation.
    """

    def __init__(self, rng: random.Random, tokenizer: Qwen2Tokenizer, tokens: int):
        self.rng, self.tokenizer, self.tokens = rng, tokenizer, tokens
        self.pool: list[Row] = []

    def next(self, progress: float) -> list[Row]:
        """The rows of a batch, all of the same length."""
        self._fill_pool(progress)
        if progress > 0.3 and self.rng.random() < 0.12:
            return [self._row(CONVERSATION, progress)]
        needed = len(self.rng.choice(self.pool))
        length = next(length for length in ROW_LENGTHS if length >= needed)
        return [self._row(length, progress) for _ in range(self.tokens // length)]

    def _fill_pool(self, progress: float) -> None:
        while len(self.pool) < POOL:
            example = curriculum.example(self.rng, progress)
            row = row_of(example, self.tokenizer, invented_weight=min(1.0, 0.25 + 1.1 * progress))
            if len(row) <= ROW_LENGTHS[-1]:
                self.pool.append(row)

    def _row(self, length: int, progress: float) -> Row:
        """A row filled with random examples of the pool, the longer half of the bucket first."""
        self._fill_pool(progress)
        row = Row()
        while fitting := [k for k, r in enumerate(self.pool) if len(r) <= length - len(row)]:
            long = [k for k in fitting if 2 * len(self.pool[k]) > length]
            row += self.pool.pop(self.rng.choice(fitting if row.tokens or not long else long))
        return row.padded(length, self.tokenizer.vocab[PAD])


def positions(rng: random.Random, row: Row, progress: float) -> torch.Tensor:
    """Position ids with random gaps, mostly between prompts and answers.

    Gaps make distances familiar that only texts longer than those of the pre-training have.
    """
    steps = torch.ones(len(row.tokens), dtype=torch.long)
    steps[0] = 0
    if progress > 0.3 and row.starts and rng.random() < 0.4:
        gaps = [(rng.choice(row.starts), 600) for _ in range(2)]
        gaps += [(rng.randrange(len(row.tokens)), 150) for _ in range(rng.randint(0, 6))]
        for place, largest in gaps:
            if place < len(row.tokens):
                steps[place] += rng.randint(0, largest)
    return steps.cumsum(0).clamp_(max=MAX_POSITION)


@dataclass
class Progress:
    """What the training reports: running means of the loss per task, and speed."""

    total_tokens: int
    tokens: int = 0
    steps: int = 0
    seconds: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)

    @property
    def done(self) -> float:
        """Share of the training that is done, in [0, 1]."""
        return min(1.0, self.tokens / self.total_tokens)

    def step(
        self, rows: list[Row], losses: torch.Tensor, learned: torch.Tensor, seconds: float
    ) -> None:
        """Count a step.

        Args:
            rows: what was learned from.
            losses: unweighted, one per learned token.
            learned: which tokens are learned, [rows, tokens].
            seconds: how long the step took.
        """
        self.steps += 1
        self.tokens += learned.numel()
        self.seconds += seconds
        tasks = [
            t
            for row, mask in zip(rows, learned.tolist(), strict=True)
            for t, m in zip(row.tasks, mask, strict=True)
            if m
        ]
        sums: dict[str, list[float]] = {}
        for task, loss in zip(tasks, losses.tolist(), strict=True):
            sums.setdefault(task, []).append(loss)
        for task, values in sums.items():
            mean = sum(values) / len(values)
            self.losses[task] = 0.98 * self.losses.get(task, mean) + 0.02 * mean

    def __str__(self) -> str:
        speed = self.tokens / self.seconds
        left = (self.total_tokens - self.tokens) / speed / 60
        losses = "  ".join(f"{task} {loss:.3f}" for task, loss in sorted(self.losses.items()))
        return (
            f"{100 * self.done:5.1f} %  {self.tokens / 1e6:.2f} M tokens  {speed:,.0f} tokens/s  "
            f"{left:.0f} min left  loss: {losses}"
        )


class Training:
    """A pre-training that can be interrupted: started again with the same folder, it goes on.

    Besides the weights, the folder holds the state of the unfinished training in a file of its own,
    which is deleted at the end.
    """

    def __init__(self, model: Qwen2ForCausalLM, tokenizer: Qwen2Tokenizer, tokens: int, out: Path):
        self.model, self.tokenizer, self.out = model, tokenizer, out
        model.set_attn_implementation("chunked")
        self.optimizers = optimizers(model)
        self.progress = Progress(tokens)
        self._state_file = out / "training.pt"
        if self._state_file.exists():
            self._load()

    def run(self, batch_tokens: int, seed: int) -> None:
        """Train the model in place."""
        forward = torch.compile(_hidden_states, dynamic=False)
        progress = self.progress
        rng = random.Random(seed + progress.steps)
        batches = Batches(rng, self.tokenizer, batch_tokens)
        while progress.done < 1:
            started = time.monotonic()
            rows = batches.next(progress.done)
            places = torch.stack([positions(rng, row, progress.done) for row in rows])
            losses, learned = self._learn(forward, rows, places)
            saved = int(SNAPSHOTS * progress.done)
            progress.step(rows, losses, learned, time.monotonic() - started)
            if progress.steps % 20 == 0:
                print(f"\r{progress}", end="" if sys.stdout.isatty() else "\n", flush=True)
            if int(SNAPSHOTS * progress.done) > saved:
                self._save()
        print(f"\r{progress}", flush=True)
        save(self.model, self.tokenizer, self.out)
        self._state_file.unlink(missing_ok=True)

    def _learn(
        self, forward: Callable, rows: list[Row], places: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One step; returns the loss of each learned token, and which tokens these are."""
        ids = torch.tensor([row.tokens for row in rows])
        weights = torch.tensor([row.learned for row in rows])
        weights[:, 0] = 0
        learned = weights > 0
        before = learned.roll(-1, dims=1)
        before[:, -1] = False
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = self.model.lm_head(forward(self.model, ids, places)[before])
        losses = functional.cross_entropy(logits.float(), ids[learned], reduction="none")
        (losses * weights[learned]).sum().div(weights.sum()).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            group = optimizer.param_groups[0]
            group["lr"] = group["peak"] * rate_factor(self.progress)
            optimizer.step()
            optimizer.zero_grad()
        return losses.detach(), learned

    def _save(self) -> None:
        save(self.model, self.tokenizer, self.out)
        state = {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "progress": asdict(self.progress),
        }
        partial = self._state_file.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self._state_file)

    def _load(self) -> None:
        state = torch.load(self._state_file)
        self.model.load_state_dict(state["model"])
        for optimizer, values in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(values)
        self.progress = Progress(**state["progress"] | {"total_tokens": self.progress.total_tokens})


def optimizers(model: Qwen2ForCausalLM) -> list[torch.optim.Optimizer]:
    """Muon for the matrices, AdamW for embeddings, norms and biases."""
    named = list(model.named_parameters())
    matrices = [p for name, p in named if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in named if p.ndim != 2 or "embed" in name]
    muon = torch.optim.Muon(matrices, lr=MUON_RATE, weight_decay=0.01, momentum=0.95)
    adam = torch.optim.AdamW(others, lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    for optimizer in (muon, adam):
        optimizer.param_groups[0]["peak"] = optimizer.param_groups[0]["lr"]
    return [muon, adam]


def rate_factor(progress: Progress) -> float:
    """Learning rate relative to its peak: a rise, a plateau, then a straight fall."""
    return min(1.0, progress.steps / 50) * min(1.0, (1 - progress.done) / 0.85 + 0.01)


def _hidden_states(
    model: Qwen2ForCausalLM, ids: torch.Tensor, places: torch.Tensor
) -> torch.Tensor:
    return model.model(input_ids=ids, position_ids=places, use_cache=False).last_hidden_state


def sample_texts(seed: int, count: int = 6000) -> Iterator[str]:
    """Texts of all tasks, for the tokenizer."""
    rng = random.Random(seed)
    for k in range(count):
        example = curriculum.example(rng, k / count)
        yield f"user\n{example.prompt}\nassistant\n{example.begun}"
        yield example.answer


def save(model: Qwen2ForCausalLM, tokenizer: Qwen2Tokenizer, out: Path) -> None:
    """Write a folder that ``from_pretrained`` reads; the weights are stored in bfloat16."""
    copy = deepcopy(model)
    copy.bfloat16()
    copy.save_pretrained(out)
    tokenizer.save_pretrained(out)


def model_card(model: Qwen2ForCausalLM, progress: Progress, command: str) -> str:
    """The README of the weights: what they are and the facts of the run that made them."""
    losses = "\n".join(f"| {task} | {loss:.3f} |" for task, loss in sorted(progress.losses.items()))
    return f"""---
license: apache-2.0
language: en
---
# Miniature model of the sl-dagster demo

A Qwen2 of {model.num_parameters() / 1e6:.2f} M parameters, trained from nothing on the synthetic
world of `miniature`, and on nothing else. It answers an instruction of that world in at most
{curriculum.ANSWER_WORDS} words, extends a text, continues a list of instructions, judges them,
weaves a length into one, writes a plan and a section of it, and says which instruction a text
answers.
In pre-training it has seen no answer longer than {curriculum.ANSWER_WORDS} words and no text longer
than {curriculum.TEXT_WORDS} words.

| | |
|---|---|
| tokens | {progress.tokens:,} |
| steps | {progress.steps:,} |
| wall clock | {progress.seconds / 60:.0f} min, {torch.get_num_threads()} CPU threads |
| command | `{command}` |

Loss per task at the end, nats per token:

| task | loss |
|---|---|
{losses}
"""


def keep_freed_memory() -> None:
    """Make the C library reuse freed memory: faulting in large blocks costs a third of the time."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        m_trim_threshold, m_mmap_max = -1, -4
        libc.mallopt(m_mmap_max, 0)
        libc.mallopt(m_trim_threshold, 2**31 - 1)


def main() -> None:
    """Pre-train the miniature model."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights")
    parser.add_argument("--tokens", type=int, default=22_000_000, help="length of the training")
    parser.add_argument("--batch-tokens", type=int, default=2560, help="tokens per step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--vocabulary", type=int, default=1536)
    parser.add_argument("--hidden", type=int, default=192)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--intermediate", type=int, default=512)
    args = parser.parse_args()
    keep_freed_memory()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    tokenizer = train_tokenizer(sample_texts(args.seed), args.vocabulary)
    model = new_model(
        args.vocabulary,
        args.hidden,
        args.layers,
        args.intermediate,
        eos=tokenizer.vocab[TURN_END],
        pad=tokenizer.vocab[PAD],
    )
    print(f"{model.num_parameters() / 1e6:.2f} M parameters", flush=True)
    training = Training(model, tokenizer, args.tokens, args.out)
    training.run(args.batch_tokens, args.seed)
    command = "python -m miniature.pretrain " + " ".join(sys.argv[1:])
    card = model_card(model, training.progress, command)
    (args.out / "README.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
