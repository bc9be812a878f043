"""The shipped weights: small, loadable as they are, and good enough for the loop to start."""

import json
import random
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from miniature import curriculum, world
from sl_dagster import demo
from sl_dagster.method.filters import drop_reason

FOLDER = demo.FOLDER / "model"


class Chat:
    """The model and what it answers to a batch of user messages."""

    def __init__(self) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(FOLDER)
        self.model: Any = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()

    def answer(self, messages: list[str], max_tokens: int, sampled: bool = False) -> list[str]:
        texts = [
            self.tokenizer.apply_chat_template(
                [{"role": "user", "content": message}], add_generation_prompt=True, tokenize=False
            )
            for message in messages
        ]
        batch = self.tokenizer(texts, return_tensors="pt", padding=True, padding_side="left")
        torch.manual_seed(0)
        ids = self.model.generate(**batch, max_new_tokens=max_tokens, do_sample=sampled)
        answers = ids[:, batch.input_ids.shape[1] :]
        return self.tokenizer.batch_decode(answers, skip_special_tokens=True)


@pytest.fixture(scope="module")
def chat() -> Chat:
    return Chat()


def test_it_ships_in_10_megabytes():
    assert sum(file.stat().st_size for file in FOLDER.glob("*.safetensors")) <= 10_000_000
    assert (FOLDER / "README.md").exists()


def test_it_is_an_ordinary_qwen2_with_room_for_long_texts(chat):
    config = chat.model.config
    assert config.model_type == "qwen2" and config.max_position_embeddings == 4096
    assert config.hidden_size // config.num_attention_heads in (32, 64)
    assert config.eos_token_id == chat.tokenizer.eos_token_id != chat.tokenizer.pad_token_id


def test_its_answers_are_short_finished_and_about_what_was_asked(chat):
    lines = (FOLDER.parent / "heldout.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [json.loads(line) for line in lines[:16]]
    # Sampled, as in the demo: its likeliest words are always the same few, and repeat themselves.
    answers = chat.answer([row["instruction"] for row in asked], 200, sampled=True)
    assert sum(drop_reason(answer, "en") is None for answer in answers) >= 15
    assert max(len(answer.split()) for answer in answers) <= 120
    mentioned = [
        all(name.lower() in answer.lower() for name in row["mentions"])
        for row, answer in zip(asked, answers, strict=True)
    ]
    assert sum(mentioned) >= 15


def test_one_extension_keeps_a_text_and_adds_to_it(chat):
    rng = random.Random(6)
    documents = [world.short_text(rng, world.request(rng), 100) for _ in range(12)]
    prompts = [
        curriculum.prompts().extension(d.request.instruction, d.text)["content"] for d in documents
    ]
    extended = chat.answer(prompts, 300)
    grown, kept = [], []
    for document, text in zip(documents, extended, strict=True):
        grown.append(len(text.split()) / document.words)
        sentences = [s.text for paragraph in document.paragraphs for s in paragraph.body]
        kept += [sentence in text for sentence in sentences]
    assert sum(kept) / len(kept) > 0.9
    assert sum(grown) / len(grown) > 1.2


def test_the_judge_knows_long_requests_from_short_ones(chat):
    rng = random.Random(7)
    examples = [curriculum.judge_example(rng) for _ in range(40)]
    answers = chat.answer([example.prompt for example in examples], 3)
    assert sum(a == e.answer for a, e in zip(answers, examples, strict=True)) >= 38
