"""What a model's chat template writes, and above all what it writes around an answer."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import jinja2
import jinja2.meta

from sl_dagster.errors import UserError
from sl_dagster.method.prompts import Message
from sl_dagster.method.thoughts import MARKS, Marks, leaves_thoughts_open

# Variables of every chat template, which transformers or this project sets.
SET_BY_US = {
    "add_generation_prompt", "chat_template", "continue_final_message", "conversation", "messages",
    "return_assistant_tokens_mask", "return_dict", "return_tensors", "tokenize",
}  # fmt: skip

# Messages that stand for any other, to see what a template writes around them.
QUESTION = Message(role="user", content="a-question-of-nobody")
ANSWER = Message(role="assistant", content="an-answer-of-nobody")
_THOUGHT = "a-thought-of-nobody"

_THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking")  # what templates call thoughts
_SWITCHED = (False, True, "none", "off")  # what a variable may have to be for a model not to think


# What a template is told that asks for today's date: a run that goes on tomorrow must ask as it has
# begun to, and a model is trained on what it is shown later. Where it knows no date, Llama 3's
# template writes this one.
_TODAY = date(2024, 7, 26)
_CLOCK = "strftime_now"  # how templates ask transformers, and vLLM, for the date
_LITERAL_CALL = re.compile(rf"""{_CLOCK}\(\s*(?P<quote>["'])(?P<form>.*?)(?P=quote)\s*\)""")


def without_clock(template: str) -> str | None:
    """A chat template with the day that ``render`` tells it written in; None if it asks for none.

    For servers that render chats themselves.
    """
    if _CLOCK not in template:
        return None
    return _LITERAL_CALL.sub(lambda call: f"'{_TODAY.strftime(call['form'])}'", template)


def render(
    tokenizer: Any, messages: Sequence[Message], variables: dict[str, Any], **how: bool
) -> str:
    """The chat as text, whatever day it is.

    A template of a model that also sees pictures may want a message's text in parts, and leave out
    what comes in one piece.

    Raises:
        UserError: the template refuses the chat.
    """
    in_parts = [
        {**message, "content": [{"type": "text", "text": message["content"]}]}
        for message in messages
    ]
    if _CLOCK in str(tokenizer.chat_template):
        variables = {_CLOCK: _TODAY.strftime, **variables}
    refusal: Exception | None = None
    whole = None
    for form in (messages, in_parts):
        try:
            text = tokenizer.apply_chat_template(form, tokenize=False, **how, **variables)
        except (jinja2.TemplateError, TypeError, KeyError, AttributeError, ValueError) as error:
            refusal = refusal or error
            continue
        if messages[-1]["content"].strip() in text:
            return text
        whole = text if whole is None else whole
    if whole is not None:
        return whole
    raise UserError(
        f"the base model's chat template refuses the chat ({refusal}): remove system_prompt "
        "if it knows none, and check chat_template_kwargs"
    ) from refusal


@dataclass(frozen=True)
class AssistantTurn:
    """What a chat template writes around an answer.

    Attributes:
        asked: the chat without an answer, and none being due.
        fresh: all that stands before an answer that the model is to write.
        before: all that stands before an answer that is known.
        header: the part of ``before`` that follows the question.
        after: what follows a known answer that ends the chat.
        between: what stands between a known answer and a next question; nothing if none may come.
    """

    asked: str
    fresh: str
    before: str
    header: str
    after: str
    between: str

    @property
    def agrees(self) -> bool:
        """Whether the model is asked for an answer in the place where answers stand.

        White space before a known answer is what a model would write itself, and does not count.
        """
        return (
            self.before.startswith(self.fresh)
            and not self.before[len(self.fresh) :].strip()
            and not leaves_thoughts_open(self.header)
        )


def assistant_turn(
    tokenizer: Any, chat: Sequence[Message], variables: dict[str, Any]
) -> AssistantTurn:
    """See what the template writes around an answer to a chat.

    Args:
        chat: all messages up to the answer.
        variables: of the template.

    Raises:
        UserError: the template refuses the chat, or shows no answers.
    """
    asked = render(tokenizer, chat, variables)
    fresh = render(tokenizer, chat, variables, add_generation_prompt=True)
    before, shown, after = render(tokenizer, [*chat, ANSWER], variables).rpartition(
        ANSWER["content"]
    )
    if not shown:
        raise UserError(
            "base_model: the chat template leaves out what the assistant says, so nothing can be "
            "learnt with it: choose a model whose template shows it"
        )
    try:
        going_on = render(tokenizer, [*chat, ANSWER, QUESTION], variables)
    except UserError:  # it wants a chat to end here
        going_on = ""
    between = going_on.rpartition(ANSWER["content"])[2].partition(QUESTION["content"])[0]
    header = before.rpartition(chat[-1]["content"].strip())[2]
    return AssistantTurn(asked, fresh, before, header, after, between)


def switches(tokenizer: Any) -> Iterator[dict[str, Any]]:
    """Settings of a template's own variables, one at a time, those that speak of thinking first."""
    source = re.sub(r"{%-?\s*(end)?generation\s*-?%}", "", str(tokenizer.get_chat_template()))
    try:
        syntax = jinja2.Environment(extensions=["jinja2.ext.loopcontrols"]).parse(source)
    except jinja2.TemplateSyntaxError:
        return
    taken = SET_BY_US | tokenizer.special_tokens_map.keys() | {"tools", "documents"}
    names = jinja2.meta.find_undeclared_variables(syntax) - taken
    for name in sorted(names, key=lambda name: (not re.search("think|reason", name), name)):
        for value in _SWITCHED:
            yield {name: value}


def thought_marks(tokenizer: Any, variables: dict[str, Any]) -> tuple[Marks, ...]:
    """How a model's thoughts begin and end: as is usual, or as its template writes them."""
    thinking: Any = {**ANSWER, **dict.fromkeys(_THOUGHT_FIELDS, _THOUGHT)}
    try:
        whole = render(tokenizer, [QUESTION, thinking], variables)
    except UserError:  # a template that knows no thoughts may refuse them
        return MARKS
    begin, _, rest = whole.partition(_THOUGHT)
    end, shown, _ = rest.partition(ANSWER["content"])
    own = [*begin.split()[-1:], *end.split()[:1]]
    # Words are no marks: an answer may begin with them.
    marked = shown and len(own) == 2 and not any(mark.isalpha() for mark in own)
    return (*MARKS, (own[0], own[1])) if marked else MARKS
