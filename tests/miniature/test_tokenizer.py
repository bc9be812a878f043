"""The miniature model's tokenizer and chat template, as shipped."""

import random

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from miniature import curriculum, pretrain
from miniature.architecture import new_model
from miniature.tokenizer import train_tokenizer
from sl_dagster import demo

MODEL = demo.FOLDER / "model"


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(MODEL)


def test_any_text_comes_back_as_it_was(tokenizer):
    texts = ["Été, 東京\tand  two  spaces\r\n\n\n  end ", "The old books.\n\nDear friend, I..."]
    rng = random.Random(0)
    texts += [curriculum.example(rng, 0.9).answer for _ in range(200)]
    for text in texts:
        assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_a_saved_tokenizer_is_loaded_as_it_was_trained(tmp_path):
    rng = random.Random(0)
    texts = list(pretrain.sample_texts(seed=1, count=300))
    trained = train_tokenizer(texts, 700)
    trained.save_pretrained(tmp_path)
    config = new_model(700, 64, 1, 64, eos=2, pad=0).config
    config.save_pretrained(tmp_path)  # its model type decides how AutoTokenizer splits a text
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    for _ in range(200):
        example = curriculum.example(rng, 0.9)
        for text in (example.prompt, example.begun + example.answer):
            assert loaded(text).input_ids == trained(text).input_ids


def test_words_take_little_more_than_one_token():
    tokenizer = train_tokenizer(pretrain.sample_texts(seed=1, count=3000), 1536)
    rng = random.Random(0)
    texts = [curriculum.extension_example(rng).answer for _ in range(100)]
    tokens = sum(len(tokenizer(text).input_ids) for text in texts)
    assert tokens / sum(len(text.split()) for text in texts) < 1.5  # punctuation included


def test_a_turn_begun_at_a_blank_line_has_the_tokens_of_the_whole_turn(tokenizer):
    text = curriculum.extension_example(random.Random(1)).answer
    assert "\n\n" in text
    prompt = {"role": "user", "content": "Write."}
    beginning = text[: text.index("\n\n")]
    begun = tokenizer.apply_chat_template(
        [prompt, {"role": "assistant", "content": beginning}],
        continue_final_message=True,
        tokenize=False,
    )
    whole = tokenizer.apply_chat_template(
        [prompt, {"role": "assistant", "content": text}], tokenize=False
    )
    assert begun == f"<|im_start|>user\nWrite.<|im_end|>\n<|im_start|>assistant\n{beginning}"
    assert whole == begun + text[len(beginning) :] + "<|im_end|>"
    begun_ids, whole_ids = tokenizer(begun).input_ids, tokenizer(whole).input_ids
    assert whole_ids[: len(begun_ids)] == begun_ids


def test_the_template_marks_what_the_assistant_wrote(tokenizer):
    messages = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Yes."}]
    encoded = tokenizer.apply_chat_template(
        messages, return_assistant_tokens_mask=True, return_dict=True
    )
    marked = [i for i, m in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True) if m]
    assert tokenizer.decode(marked) == "Yes.<|im_end|>"


def test_padding_is_not_the_end_of_a_turn(tokenizer):
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    assert tokenizer.chat_template
