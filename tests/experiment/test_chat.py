"""Chats: system prompt, template variables, and templates that do not suit training."""

from typing import Any

import pytest

from sl_dagster.errors import UserError
from sl_dagster.experiment.chat import Chat, stop_tokens
from tests.families import CHATML, FAMILIES, assistant, build_tokenizer, user

CHAT = Chat()


class Generation:
    """As much of a model's generation settings as matters here."""

    def __init__(self, ends: int | list[int] | None) -> None:
        self.eos_token_id = ends


def example(template: str, chat: Chat = CHAT, ends: int | list[int] | None = None) -> str:
    """What is learnt of a short answer, as text."""
    tokenizer = build_tokenizer(FAMILIES["qwen2"], template)
    stops = stop_tokens(Generation(ends), tokenizer)
    _, learnt = chat.example(tokenizer, stops, [user("Hello.")], [assistant("It shone.")])
    return str(tokenizer.decode(learnt))


def test_a_chat_is_the_system_prompt_the_message_and_the_begun_turn() -> None:
    hello = user("Hello.")
    assert CHAT.messages(hello) == [hello]
    assert Chat(system_prompt="Be brief.").messages(hello, begun="It") == [
        {"role": "system", "content": "Be brief."},
        hello,
        assistant("It"),
    ]


def test_template_variables_reach_the_template() -> None:
    tokenizer = build_tokenizer(FAMILIES["qwen3"])
    quiet = Chat(template_kwargs={"enable_thinking": False})
    assert quiet.prompt(tokenizer, user("Hello.")).endswith("<think>\n\n</think>\n\n")
    assert CHAT.prompt(tokenizer, user("Hello.")).endswith("<|im_start|>assistant\n")
    begun = quiet.prompt(tokenizer, user("Hello."), begun="It was")
    assert begun.endswith("<think>\n\n</think>\n\nIt was")


def test_stop_tokens_are_the_tokenizers_and_the_models() -> None:
    tokenizer = build_tokenizer(FAMILIES["qwen2"])
    own: Any = tokenizer.eos_token_id
    assert stop_tokens(Generation(None), tokenizer) == {own}
    assert stop_tokens(Generation(7), tokenizer) == {7, own}
    assert stop_tokens(Generation([7, own]), tokenizer) == {7, own}


def test_what_stands_behind_the_end_of_the_turn_is_not_learnt() -> None:
    assert example(CHATML) == "It shone.<|im_end|>"


def test_the_end_of_the_turn_may_be_known_to_the_model_only() -> None:
    template = CHATML.replace("<|im_end|>", "<|endoftext|>")
    end = build_tokenizer(FAMILIES["qwen2"]).convert_tokens_to_ids("<|endoftext|>")
    assert isinstance(end, int)
    assert example(template, ends=[end]) == "It shone.<|endoftext|>"
    with pytest.raises(UserError, match="holds no stop token"):
        example(template)


@pytest.mark.parametrize("behind", [r"\n", "<|endoftext|>", r"\n<|endoftext|><|im_end|>\n"])
def test_the_first_of_several_ends_is_learnt_once(behind: str) -> None:
    tokenizer = build_tokenizer(FAMILIES["qwen2"])
    both: Any = tokenizer.convert_tokens_to_ids(["<|endoftext|>", "<|im_end|>"])
    template = CHATML.replace(r'+ "<|im_end|>\n"', f'+ "<|im_end|>{behind}"')
    assert example(template, ends=both) == "It shone.<|im_end|>"


def test_an_end_that_the_model_does_not_stop_at_is_learnt_on_the_way_to_one() -> None:
    template = CHATML.replace(r'+ "<|im_end|>\n"', r'+ "<|endoftext|>\n<|im_end|>\n"')
    assert example(template) == "It shone.<|endoftext|>\n<|im_end|>"


def test_an_end_that_is_written_in_the_answer_does_not_end_it() -> None:
    tokenizer = build_tokenizer(FAMILIES["qwen2"])
    stops = stop_tokens(Generation(None), tokenizer)
    text = "The end is <|im_end|>, always."
    _, learnt = CHAT.example(tokenizer, stops, [user("Hello.")], [assistant(text)])
    assert tokenizer.decode(learnt) == text + "<|im_end|>"


@pytest.mark.parametrize("space", ["", r"\n", " "])
def test_a_template_that_writes_no_end_gets_one(space: str) -> None:
    template = CHATML.replace(r'+ "<|im_end|>\n"', f'+ "{space}"')
    assert example(template) == "It shone.<|im_end|>"


NEXT_TURN = r"""
{%- for message in messages -%}
  {{- ("<|im_start|>" if message.role == "user" else "Answer: ") + message.content -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "Answer: " -}}{%- endif -%}
"""
OPEN = 'loop.last and message.role == "assistant"'
LAST_TURN_OPEN = CHATML.replace(r'+ "<|im_end|>\n"', rf'+ ("" if {OPEN} else "<|im_end|>\n")')


def test_the_next_turn_may_end_this_one() -> None:
    tokenizer = build_tokenizer(FAMILIES["qwen2"])
    start: Any = tokenizer.convert_tokens_to_ids("<|im_start|>")
    assert example(NEXT_TURN, ends=[start]) == "It shone.<|im_start|>"
    # Not where the model would not stop at it.
    assert example(NEXT_TURN) == "It shone.<|im_end|>"


def test_a_turn_may_end_only_where_another_follows() -> None:
    assert example(LAST_TURN_OPEN) == "It shone.<|im_end|>"


def test_the_advice_about_an_unknown_end_can_be_followed() -> None:
    template = CHATML.replace("<|im_end|>", "<|endoftext|>")
    number: Any = build_tokenizer(FAMILIES["qwen2"]).convert_tokens_to_ids("<|endoftext|>")
    with pytest.raises(UserError) as refusal:
        example(template)
    advice = f"add {number} ('<|endoftext|>') to eos_token_id in generation_config.json"
    assert advice in str(refusal.value)
    own: Any = build_tokenizer(FAMILIES["qwen2"]).eos_token_id
    assert example(template, ends=[own, number]) == "It shone.<|endoftext|>"


def test_a_model_without_any_stop_token_is_told() -> None:
    tokenizer = build_tokenizer(FAMILIES["qwen2"], NEXT_TURN)
    with pytest.raises(UserError, match=r"set eos_token in tokenizer_config\.json"):
        CHAT.example(tokenizer, set(), [user("Hello.")], [assistant("It shone.")])


def test_a_template_that_ends_with_more_than_the_turn_is_told() -> None:
    with pytest.raises(UserError, match="holds no stop token"):
        example(CHATML.replace(r'+ "<|im_end|>\n"', '+ "<|im_end|> and so on"'))


def test_a_template_that_begins_an_answer_in_two_ways_is_told() -> None:
    template = CHATML.replace("<|im_start|>assistant", "<|im_start|>assistant<think>")
    with pytest.raises(UserError, match=r"begins an answer with .*<think>"):
        example(template)


def test_a_template_that_refuses_a_system_prompt_is_told() -> None:
    refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    with pytest.raises(UserError, match=r"refuses the chat \(no system\): remove system_prompt"):
        example(refusing + CHATML, Chat(system_prompt="Be brief."))
