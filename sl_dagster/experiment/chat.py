"""Chats as the model sees them: the one place that turns messages into text by a chat template.

Generation and training both go through here, so a model is trained on what it will be shown. No
model family is named: the template and the stop tokens come with the tokenizer, the rest from the
experiment file.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from sl_dagster.errors import UserError
from sl_dagster.experiment.chat_template import (
    ANSWER,
    QUESTION,
    SET_BY_US,
    AssistantTurn,
    assistant_turn,
    render,
    switches,
    thought_marks,
)
from sl_dagster.method.prompts import Message
from sl_dagster.method.thoughts import Marks


class Chat(BaseModel):
    """What is said around the method's own messages.

    Attributes:
        system_prompt: the system message of every chat; None leaves it to the template.
        template_kwargs: further variables of the chat template, such as a switch for thinking.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    system_prompt: str | None = None
    template_kwargs: dict[str, Any] = {}

    def messages(self, *turns: Message, begun: str = "") -> list[Message]:
        """The whole chat: system prompt, the given turns, and the assistant's turn if begun."""
        chat = [Message(role="system", content=self.system_prompt)] if self.system_prompt else []
        chat += turns
        return [*chat, Message(role="assistant", content=begun)] if begun else chat

    def prompt(self, tokenizer: Any, *turns: Message, begun: str = "") -> str:
        """The text that the model continues: a fresh turn, and what is begun of it.

        Raises:
            UserError: the template refuses the chat, or what is begun would not stand where the
                model's answers stand.
        """
        turn = self._turn(tokenizer, turns)
        if begun:
            self._check_begin(tokenizer, turns, turn)
        # What need not go on may begin as the template likes: with thoughts, which are taken off.
        return (turn.before if turn.agrees else turn.fresh) + begun

    def example(
        self,
        tokenizer: Any,
        stop_tokens: set[int],
        prompt: Sequence[Message],
        completion: Sequence[Message],
    ) -> tuple[list[int], list[int]]:
        """A training example as the tokens that are given and those that are to be learnt.

        What is learnt ends with the first stop token after the answer: what a template writes
        behind it is nothing that the model is ever asked for. Where it writes none, it is the one
        that it writes between turns, or else the tokenizer's own.

        Raises:
            UserError: the template begins an answer in another way when it is known, or ends it
                with something that is no stop token.
        """
        *between, answer = completion
        turns = [*prompt, *between]
        turn = self._turn(tokenizer, turns)
        self._check_begin(tokenizer, turns, turn)
        end = _end_of_turn(tokenizer, stop_tokens, turn)
        text = self._shown(tokenizer, turns, turn, answer["content"])
        # Apart from each other, because the model, too, meets the prompt without its answer.
        given, learnt = _ids(tokenizer, turn.before), _ids(tokenizer, text + end)
        stops = [place for place, token in enumerate(learnt) if token in stop_tokens]
        # A stop token that is written out in the answer itself does not end it.
        in_answer = sum(token in stop_tokens for token in _ids(tokenizer, text))
        if len(stops) > in_answer:
            return given, learnt[: stops[in_answer] + 1]
        return given, [*learnt, _own_stop(tokenizer, stop_tokens)]

    def check(self, tokenizer: Any, stop_tokens: set[int]) -> None:
        """See that the loop can use a model's chat template.

        Raises:
            UserError: it cannot; the message names the option to set, if there is one.
        """
        self.example(tokenizer, stop_tokens, [QUESTION], [ANSWER])
        shown = self.prompt(tokenizer, QUESTION)
        if QUESTION["content"] not in shown:
            raise UserError(
                "base_model: the chat template leaves out what the user says: choose a model whose "
                "template shows it"
            )
        if self.system_prompt and self.system_prompt.strip() not in shown:
            raise UserError(
                "system_prompt: the base model's chat template leaves it out: remove it, and say "
                "it in the prompts if need be"
            )

    def thought_marks(self, tokenizer: Any) -> tuple[Marks, ...]:
        """How thoughts begin and end in what the model writes."""
        return thought_marks(tokenizer, self.template_kwargs)

    def _turn(self, tokenizer: Any, turns: Sequence[Message]) -> AssistantTurn:
        return assistant_turn(tokenizer, self.messages(*turns), self.template_kwargs)

    def _check_begin(self, tokenizer: Any, turns: Sequence[Message], turn: AssistantTurn) -> None:
        """Answers must begin where the model is asked for them."""
        if turn.agrees:
            return
        missing = turn.before.removeprefix(turn.asked)
        if turn.fresh == turn.asked and missing.strip():
            raise UserError(
                "base_model: the chat template writes nothing where an answer is to begin, but "
                f"{missing[-60:]!r} before one that is known: in a copy of the "
                "model, let its chat template write that also when add_generation_prompt is true"
            )
        advice = (
            "no variable of this template is known to change that: choose a model that answers "
            "without thinking, such as an instruct variant"
        )
        for switch in switches(tokenizer):
            if self._agrees_with(tokenizer, turns, switch):
                [(name, value)] = switch.items()
                advice = f"set `chat_template_kwargs: {{{name}: {json.dumps(value)}}}`"
                break
        fresh = turn.fresh.rpartition(turns[-1]["content"].strip())[2]
        raise UserError(
            f"chat_template_kwargs: the chat template begins an answer with {fresh[-60:]!r}, but "
            f"one that is known stands behind {turn.header[-60:]!r}: the model would think where "
            f"texts are due, or be trained on what it is never shown; {advice}"
        )

    def _agrees_with(
        self, tokenizer: Any, turns: Sequence[Message], switch: dict[str, Any]
    ) -> bool:
        """Whether answers would begin where they are asked for, were a variable set."""
        kwargs = self.template_kwargs | switch
        try:
            return assistant_turn(tokenizer, self.messages(*turns), kwargs).agrees
        except UserError:
            return False

    def _shown(
        self, tokenizer: Any, turns: Sequence[Message], turn: AssistantTurn, answer: str
    ) -> str:
        """An answer with as much of the white space around it as the template leaves."""
        chat = [*self.messages(*turns), Message(role="assistant", content=answer)]
        whole = render(tokenizer, chat, self.template_kwargs)
        shown = whole.removeprefix(turn.before).removesuffix(turn.after)
        # A template may take what stands in an answer for thoughts, and leave it out.
        return shown if shown.strip() == answer.strip() else answer


def _checked(value: dict[str, Any]) -> dict[str, Any]:
    taken = sorted(SET_BY_US & value.keys())
    if taken:
        raise ValueError(f"{', '.join(taken)}: set by sl-dagster itself; remove it")
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise ValueError(
            "expected numbers, texts, true, false and lists of these; put dates in quotes"
        ) from None
    return value


TemplateVariables = Annotated[dict[str, Any], AfterValidator(_checked)]
"""Variables of a chat template that an experiment can set."""


def stop_tokens(generation_config: Any, tokenizer: Any) -> set[int]:
    """The tokens that end a turn: the tokenizer's, and those of the model's generation settings."""
    ends = generation_config.eos_token_id
    listed: Iterable[int | None] = ends if isinstance(ends, list) else [ends]
    return {token for token in (*listed, tokenizer.eos_token_id) if token is not None}


def _ids(tokenizer: Any, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def _own_stop(tokenizer: Any, stops: set[int]) -> int:
    """The token that ends a turn where the template writes none."""
    if not stops:
        raise UserError(
            "base_model: neither the tokenizer nor generation_config.json names a token that ends "
            "a text, so the model would never learn to stop: in a copy of the model, set eos_token "
            "in tokenizer_config.json"
        )
    return tokenizer.eos_token_id if tokenizer.eos_token_id is not None else min(stops)


def _end_of_turn(tokenizer: Any, stops: set[int], turn: AssistantTurn) -> str:
    """What stands behind an answer, a stop token in it; nothing where the template writes none."""
    ids = _ids(tokenizer, turn.after)
    place = next((place for place, token in enumerate(ids) if token in stops), None)
    if place is not None:
        behind = [token for token in ids[place:] if token not in stops]
        words = tokenizer.decode(behind, skip_special_tokens=True).strip()
        # Some templates always begin a next answer.
        if words and not turn.fresh.strip().endswith(words):
            raise UserError(_no_stop_token(tokenizer, turn.after))
        return turn.after
    if any(token in stops for token in _ids(tokenizer, turn.between)):
        return turn.between
    if turn.after.strip():
        raise UserError(_no_stop_token(tokenizer, turn.after))
    return ""


def _no_stop_token(tokenizer: Any, after: str) -> str:
    """What is wrong with the end of a turn that holds no stop token, or has words behind it."""
    special = [token for token in _ids(tokenizer, after) if token in tokenizer.added_tokens_decoder]
    advice = "choose a model whose template ends an answer with one token"
    if special:
        name, number = tokenizer.decode(special[:1]), special[0]
        advice = (
            f"in a copy of the model, add {number} ({name!r}) to eos_token_id in "
            "generation_config.json"
        )
    return (
        f"base_model: the chat template ends an answer with {after[:60]!r}, which holds no stop "
        "token of the tokenizer or of generation_config.json at its end, so the model would never "
        f"learn to stop: {advice}"
    )
