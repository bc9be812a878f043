"""Probes of the miniature model: does it copy, extend, answer and judge, also at unseen lengths?

What belongs here: cheap measurements that tell one set of weights from another before the loop is
run with them.

    python -m miniature.evaluate sl_dagster/demo/model
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from miniature import curriculum, world
from sl_dagster import demo
from sl_dagster.method.filters import drop_reason
from sl_dagster.method.length_control import draw_constraint, weaving_drop_reason
from sl_dagster.method.words import count_words

HELDOUT_FILE = demo.FOLDER / "heldout.jsonl"
OUTLINE_WORDS = (60, 120, 250, 400)
"""Lengths of the texts to extend; in pre-training, no text had more than 250 words."""


class Model:
    """A model and its tokenizer; sampled answers to batches of user messages."""

    def __init__(self, folder: Path, temperature: float, seed: int):
        torch.manual_seed(seed)
        self.temperature = temperature
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def answer(
        self, messages: list[str], max_tokens: int, begun: list[str] | None = None
    ) -> list[str]:
        """What the model writes after each message (and the begun turn, if any)."""
        texts = [
            self.tokenizer.apply_chat_template(
                [{"role": "user", "content": message}], add_generation_prompt=True, tokenize=False
            )
            for message in messages
        ]
        texts = [text + turn for text, turn in zip(texts, begun or [""] * len(texts), strict=True)]
        batch = self.tokenizer(texts, return_tensors="pt", padding=True, padding_side="left")
        ids = self.model.generate(
            **batch,
            max_new_tokens=max_tokens,
            do_sample=True,
            temperature=self.temperature,
            top_p=0.95,
            top_k=0,
        )
        written = ids[:, batch.input_ids.shape[1] :]
        return self.tokenizer.batch_decode(written, skip_special_tokens=True)


def outline(rng: random.Random, words: int) -> world.Document:
    """A text of the world with about so many words, made by extending a short one."""
    while True:
        document = world.short_text(rng, world.request(rng), curriculum.ANSWER_WORDS)
        while document.words < 0.85 * words:
            extended = world.extend(rng, document)
            if extended is document:
                break
            document = extended
        if 0.85 * words <= document.words <= 1.2 * words:
            return document


def probe_extension(model: Model, words: int, count: int) -> str:
    """One pass of the extension: sentences kept, filter passes, growth."""
    rng = random.Random(words)
    outlines = [outline(rng, words) for _ in range(count)]
    prompts = [
        curriculum.prompts().extension(o.request.instruction, o.text)["content"] for o in outlines
    ]
    texts = model.answer(prompts, 60 + 3 * words)
    kept = [
        sentence.text in text
        for o, text in zip(outlines, texts, strict=True)
        for paragraph in o.paragraphs
        for sentence in paragraph.body
    ]
    passed = [drop_reason(text, "en") is None for text in texts]
    growth = [count_words(text) / o.words for o, text in zip(outlines, texts, strict=True)]
    return (
        f"extend {words:3d} words: kept {mean(kept):.3f}  passed {mean(passed):.2f}  "
        f"growth {mean(growth):.2f} ({min(growth):.2f}-{max(growth):.2f})"
    )


def probe_answers(model: Model) -> str:
    """Answers to the held-out instructions."""
    rows = [json.loads(line) for line in HELDOUT_FILE.read_text(encoding="utf-8").splitlines()]
    texts = model.answer([row["instruction"] for row in rows], 300)
    words = [count_words(text) for text in texts]
    passed = [drop_reason(text, "en") is None for text in texts]
    mentioned = [
        all(name.lower() in text.lower() for name in row["mentions"])
        for row, text in zip(rows, texts, strict=True)
    ]
    return (
        f"answers: words {mean(words):.1f} (most {max(words)})  passed {mean(passed):.2f}  "
        f"mention all {mean(mentioned):.2f}"
    )


def probe_instructions(model: Model, count: int) -> str:
    """The judge's accuracy, and how many self-made instructions are new and suit a long text."""
    rng = random.Random(count)
    judged = [curriculum.judge_example(rng) for _ in range(count)]
    verdicts = model.answer([example.prompt for example in judged], 3)
    right = [v == example.answer for v, example in zip(verdicts, judged, strict=True)]
    begun = [curriculum.self_instruct_example(rng) for _ in range(count)]
    written = model.answer([e.prompt for e in begun], 60, [e.begun for e in begun])
    new = {w.strip() for w, e in zip(written, begun, strict=True) if w.strip() not in e.begun}
    prompts = [curriculum.prompts().judgement(w)["content"] for w in sorted(new)]
    suited = [verdict == "yes" for verdict in model.answer(prompts, 3)]
    return (
        f"judge right {mean(right):.2f}; self-instruct: new {len(new) / count:.2f}, "
        f"of these judged fit {mean(suited):.2f}"
    )


def probe_weaving(model: Model, count: int) -> str:
    """How many lengths are woven into instructions as the method wants it."""
    rng = random.Random(count)
    low, high = curriculum.LENGTHS
    passed = []
    asked = [(world.request(rng).instruction, rng.randrange(low, high)) for _ in range(count)]
    constraints = [
        draw_constraint(
            words, "en", min_words=low, max_words=high, roundings=curriculum.ROUNDINGS, seed=words
        )
        for _, words in asked
    ]
    prompts = [
        curriculum.prompts().weaving(instruction, constraint.text)["content"]
        for (instruction, _), constraint in zip(asked, constraints, strict=True)
    ]
    woven = model.answer(prompts, 80)
    for (instruction, _), constraint, text in zip(asked, constraints, woven, strict=True):
        reason = weaving_drop_reason(text, instruction, constraint, "en", finish_reason="stop")
        passed.append(reason is None)
    return f"weave: as it should be {mean(passed):.2f}"


def main() -> None:
    """Probe a model folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--count", type=int, default=32, help="texts per probe")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    model = Model(args.model, args.temperature, args.seed)
    for words in OUTLINE_WORDS:
        print(probe_extension(model, words, args.count), flush=True)
    print(probe_answers(model), flush=True)
    print(probe_instructions(model, args.count), flush=True)
    print(probe_weaving(model, args.count), flush=True)


if __name__ == "__main__":
    main()
