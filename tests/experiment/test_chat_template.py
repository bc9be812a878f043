"""Chat templates of real models, and every way in which one can treat an assistant's turn."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import trl
from transformers import PreTrainedTokenizerFast

from sl_dagster.errors import UserError
from sl_dagster.experiment.chat import Chat
from sl_dagster.experiment.chat_template import render, without_clock
from sl_dagster.method.thoughts import MARKS
from tests.families import CHATML, assistant, tokenizer_with, user

TRL = sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja"), key=lambda f: f.stem)

# How the real models' turns end, by the beginning of the template's name; those that are longer
# than one token end with the token that their generation_config.json names.
ENDS = {
    "cohere": "<|END_OF_TURN_TOKEN|>",
    "cohere2": "<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
    "deepseek": "<｜end▁of▁sentence｜>",
    "diffusion_gemma": "<turn|>",
    "gemma": "<end_of_turn>",
    "gemma4": "<turn|>",
    "glm4moe": "<|user|>",  # its template writes no end; the next turn's beginning is one
    "idefics3": "<end_of_utterance>",
    "lfm2": "<|im_end|>",
    "llama3": "<|eot_id|>",
    "llava_next": "</s>",
    "nemotron": "<|im_end|>",
    "phi3": "<|end|>",
    "qwen": "<|im_end|>",
    "smolvlm": "<end_of_utterance>",
}

# Models that think before they answer, whose templates have a switch for it.
SWITCHED = (
    "glm4moe",
    "nemotron",
    "qwen3.",
    "qwen3_training",
    "qwen3_5_think",
    "qwen3_6",
    "qwen3_8",
)
# Those whose templates have none.
REFUSED = ("deepseek", "gptoss", "muse_glimmer")

QUIET = Chat(template_kwargs={"enable_thinking": False})
HELLO = [user("Hello there.")]
SHONE = [assistant("It shone.")]


def ending(name: str) -> str:
    """How a turn of a shipped template ends."""
    known = [family for family in ENDS if name.startswith(family)]
    return ENDS[max(known, key=len)]


def tokenizer_and_stops(template: str, end: str) -> tuple[PreTrainedTokenizerFast, set[int]]:
    tokenizer = tokenizer_with(template)
    stop = tokenizer(end, add_special_tokens=False)["input_ids"][-1]
    eos: Any = tokenizer.eos_token_id
    return tokenizer, {eos, stop}


def assert_one_beginning(chat: Chat, template: str, end: str) -> str:
    """What is trained is what is asked, and a begun turn is a fresh one that has come further.

    Returns:
        What is asked.
    """
    tokenizer, stops = tokenizer_and_stops(template, end)
    chat.check(tokenizer, stops)
    fresh = chat.prompt(tokenizer, *HELLO)
    assert "Hello there." in fresh
    assert chat.prompt(tokenizer, *HELLO, begun=" Once, \n") == fresh + " Once, \n"
    given, learnt = chat.example(tokenizer, stops, HELLO, SHONE)
    assert tokenizer.decode(given) == fresh
    assert tokenizer.decode(learnt) == "It shone." + end
    assert [token for token in learnt if token in stops] == learnt[-1:]
    return fresh


@pytest.mark.parametrize("file", TRL, ids=lambda file: file.stem)
def test_every_template_that_trl_ships_is_used_rightly_or_refused(file: Path) -> None:
    template = file.read_text(encoding="utf-8")
    if file.name.startswith(REFUSED):
        tokenizer, stops = tokenizer_and_stops(template, "<|endoftext|>")
        with pytest.raises(UserError, match="no variable of this template is known to change"):
            Chat().check(tokenizer, stops)
        return
    if not file.name.startswith(SWITCHED):
        assert_one_beginning(Chat(), template, ending(file.stem))
        return
    tokenizer, stops = tokenizer_and_stops(template, ending(file.stem))
    for refused in (Chat(), Chat(template_kwargs={"enable_thinking": True})):
        with pytest.raises(
            UserError, match=r"set `chat_template_kwargs: {enable_thinking: false}`"
        ):
            refused.check(tokenizer, stops)
        with pytest.raises(UserError, match="enable_thinking: false"):
            refused.prompt(tokenizer, *HELLO, begun="Once")
    fresh = assert_one_beginning(QUIET, template, ending(file.stem))
    assert fresh.rstrip().endswith("</think>")


CLOCKS = [file for file in TRL if "strftime_now" in file.read_text(encoding="utf-8")]


@pytest.mark.parametrize("file", CLOCKS, ids=lambda file: file.stem)
def test_a_prompt_is_the_same_on_every_day(file: Path, monkeypatch) -> None:
    template = file.read_text(encoding="utf-8")
    tokenizer: Any = tokenizer_with(template)
    days = []

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            days.append(1)
            return cls(2031, 1, len(days))

    monkeypatch.setattr("transformers.utils.chat_template_utils.datetime", Clock)
    naive = {tokenizer.apply_chat_template(HELLO, tokenize=False) for _ in range(2)}
    shown = {render(tokenizer, HELLO, {}) for _ in range(2)}
    assert len(naive) == 2, "left alone it tells the day"
    assert len(shown) == 1
    [prompt] = shown
    assert "26 Jul 2024" in prompt or "2024-07-26" in prompt
    # A server that renders it without us writes the same.
    fixed = without_clock(template)
    assert fixed
    server: Any = tokenizer_with(fixed)
    assert server.apply_chat_template(HELLO, tokenize=False) == prompt
    if "date_string" in template:
        assert "1 Jan 2000" in render(tokenizer, HELLO, {"date_string": "1 Jan 2000"})


def test_a_template_that_tells_no_day_is_left_alone() -> None:
    assert without_clock(CHATML) is None


THOUGHTS = "<think>\n\n</think>\n\n"
AT_ANSWER = """{%- if message.role == "assistant" -%}{{- "OPENING" -}}{%- endif -%}
  {{- message.content"""
AT_PROMPT = '{{- "<|im_start|>assistant\\nOPENING" -}}'


def chatml(at_answer: str = "", at_prompt: str = "") -> str:
    """ChatML that writes something more before an answer that is known, or that is due."""
    plain = '{{- "<|im_start|>assistant\\n" -}}'
    content = '{{- "<|im_start|>" + message.role + "\\n" + message.content'
    assert plain in CHATML and content in CHATML
    at_answer, at_prompt = at_answer.replace("\n", r"\n"), at_prompt.replace("\n", r"\n")
    header = '{{- "<|im_start|>" + message.role + "\\n" -}}'
    return CHATML.replace(plain, AT_PROMPT.replace("OPENING", at_prompt)).replace(
        content, header + AT_ANSWER.replace("OPENING", at_answer)
    )


def test_an_answer_may_always_stand_behind_empty_thoughts() -> None:
    fresh = assert_one_beginning(Chat(), chatml(THOUGHTS, THOUGHTS), "<|im_end|>")
    assert fresh.endswith(THOUGHTS)


@pytest.mark.parametrize("space", ["\n", "\n\n", " "])
def test_white_space_that_only_a_known_answer_has_is_asked_for_too(space: str) -> None:
    fresh = assert_one_beginning(Chat(), chatml(at_answer=space), "<|im_end|>")
    assert fresh.endswith("assistant\n" + space)


@pytest.mark.parametrize(
    "template",
    [
        chatml(at_prompt="<think>\n"),
        chatml(at_answer=THOUGHTS),
        chatml(THOUGHTS, "<think>\n"),
        chatml("<think>\n", "<think>\n"),  # alike, but the answer would stand among the thoughts
        chatml(at_answer="<|channel|>final<|message|>"),
    ],
)
def test_a_model_that_would_think_is_refused(template: str) -> None:
    tokenizer, stops = tokenizer_and_stops(template, "<|im_end|>")
    with pytest.raises(UserError, match="choose a model that answers without thinking"):
        Chat().check(tokenizer, stops)
    with pytest.raises(UserError, match="choose a model that answers without thinking"):
        Chat().prompt(tokenizer, *HELLO, begun="Once")
    with pytest.raises(UserError, match="choose a model that answers without thinking"):
        Chat().example(tokenizer, stops, HELLO, SHONE)


@pytest.mark.parametrize(
    ("condition", "advice"),
    [
        ("thinking is false", "{thinking: false}"),
        ("not think | default(true)", "{think: false}"),
        ("no_reasoning", "{no_reasoning: true}"),
        ('reasoning_effort == "none"', '{reasoning_effort: "none"}'),
        ('mode | default("on") == "off"', '{mode: "off"}'),
    ],
)
def test_the_switch_is_found_whatever_its_name(condition: str, advice: str) -> None:
    switched = "{%- if CONDITION -%}{{- THOUGHTS -}}{%- else -%}{{- OPEN -}}{%- endif -%}"
    switched = switched.replace("CONDITION", condition)
    switched = switched.replace("THOUGHTS", repr(THOUGHTS)).replace("OPEN", repr("<think>\n"))
    end = "{%- endif -%}\n"
    template = chatml(at_answer=THOUGHTS)
    assert template.endswith(end)
    template = template.removesuffix(end) + switched + end
    tokenizer, stops = tokenizer_and_stops(template, "<|im_end|>")
    with pytest.raises(UserError) as refusal:
        Chat().check(tokenizer, stops)
    assert f"set `chat_template_kwargs: {advice}`" in str(refusal.value)


def test_a_template_that_begins_no_answer_is_refused() -> None:
    template = CHATML.partition("{%- if add_generation_prompt")[0]
    tokenizer, stops = tokenizer_and_stops(template, "<|im_end|>")
    with pytest.raises(UserError, match=r"add_generation_prompt is true") as refusal:
        Chat().check(tokenizer, stops)
    assert r"'<|im_start|>assistant\n'" in str(refusal.value)


def test_a_template_may_begin_an_answer_with_the_end_of_the_question() -> None:
    template = (
        "{%- for m in messages -%}{%- if m.role == 'user' -%}{{- '[INST]' + m.content + '[/INST]' "
        "-}}{%- else -%}{{- m.content + '</s>' -}}{%- endif -%}{%- endfor -%}"
    )
    assert assert_one_beginning(Chat(), template, "</s>") == "[INST]Hello there.[/INST]"


def test_a_template_may_always_begin_an_answer() -> None:
    template = CHATML.replace("{%- if add_generation_prompt -%}", "{%- if true -%}")
    assert_one_beginning(Chat(), template, "<|im_end|>")


def test_a_template_may_strip_what_is_said() -> None:
    template = CHATML.replace("message.content", "message.content | trim")
    assert_one_beginning(Chat(), template, "<|im_end|>")
    tokenizer, stops = tokenizer_and_stops(template, "<|im_end|>")
    _, learnt = Chat().example(tokenizer, stops, HELLO, [assistant("\n It shone. ")])
    assert tokenizer.decode(learnt) == "It shone.<|im_end|>"
    tokenizer, stops = tokenizer_and_stops(CHATML, "<|im_end|>")
    _, learnt = Chat().example(tokenizer, stops, HELLO, [assistant("\n It shone. ")])
    assert tokenizer.decode(learnt) == "\n It shone. <|im_end|>"


def test_an_answer_that_mentions_the_mark_of_thoughts_is_learnt_whole() -> None:
    content = 'message.content.split("</think>")[-1]'
    template = CHATML.replace("message.content", content)
    tokenizer, stops = tokenizer_and_stops(template, "<|im_end|>")
    text = "The mark </think> ends them."
    _, learnt = Chat().example(tokenizer, stops, HELLO, [assistant(text)])
    assert tokenizer.decode(learnt) == text + "<|im_end|>"


def test_a_template_may_want_texts_in_parts() -> None:
    in_parts = "message.content | map(attribute='text') | join"
    fresh = assert_one_beginning(Chat(), CHATML.replace("message.content", in_parts), "<|im_end|>")
    assert "user\nHello there.<|im_end|>" in fresh


def test_a_template_that_shows_no_answers_is_refused() -> None:
    template = CHATML.replace(
        "message.content", "(message.content if message.role=='user' else '')"
    )
    tokenizer, stops = tokenizer_and_stops(template, "<|im_end|>")
    with pytest.raises(UserError, match="leaves out what the assistant says"):
        Chat().check(tokenizer, stops)


@pytest.mark.parametrize(
    ("role", "message"),
    [("system", "system_prompt: .* leaves it out: remove it"), ("user", "what the user says")],
)
def test_a_template_that_leaves_something_out_is_refused(role: str, message: str) -> None:
    said = f"(message.content if message.role != {role!r} else '')"
    template = CHATML.replace("message.content", said)
    tokenizer, stops = tokenizer_and_stops(template, "<|im_end|>")
    with pytest.raises(UserError, match=message):
        Chat(system_prompt="Be brief.").check(tokenizer, stops)


def test_a_judge_may_think() -> None:
    """Nothing of it is begun or learnt, and its thoughts are taken off."""
    tokenizer = tokenizer_with(chatml(THOUGHTS, "<think>\n"))
    assert Chat().prompt(tokenizer, *HELLO).endswith("assistant\n<think>\n")


def test_the_marks_of_thoughts_are_the_templates() -> None:
    thoughts = '"<ponder>\n" + message.reasoning_content + "\n</ponder>\n\n" + message.content'
    said = f"(message.content if not message.reasoning_content else {thoughts})"
    tokenizer = tokenizer_with(CHATML.replace("message.content", said.replace("\n", r"\n")))
    assert Chat().thought_marks(tokenizer) == (*MARKS, ("<ponder>", "</ponder>"))
    assert Chat().thought_marks(tokenizer_with(CHATML)) == MARKS
