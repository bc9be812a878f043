"""Chats as the model sees them: the one place that turns messages into text by a chat template.

Generation and training both go through here, so a model is trained on what it will be shown. No
model family is named: the template and the stop tokens come with the tokenizer, the rest from the
experiment file.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import jinja2
from pydantic import BaseModel, ConfigDict

from sl_dagster.errors import UserError
from sl_dagster.method.prompts import Message

_SET_BY_US = {
    "add_generation_prompt", "chat_template", "continue_final_message", "conversation", "messages",
    "return_assistant_tokens_mask", "return_dict", "return_tensors", "tokenize",
}  # fmt: skip


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
        """The text that the model continues."""
        return self._rendered(
            tokenizer,
            self.messages(*turns, begun=begun),
            add_generation_prompt=not begun,
            continue_final_message=bool(begun),
        )

    def example(
        self,
        tokenizer: Any,
        stop_tokens: set[int],
        prompt: Sequence[Message],
        completion: Sequence[Message],
    ) -> tuple[list[int], list[int]]:
        """A training example as the tokens that are given and those that are to be learnt.

        What is learnt ends with the end-of-turn token: what a template writes behind it (a line
        end, say) is nothing that the model is ever asked for.

        Raises:
            UserError: the template renders the prompt in another way once an answer follows, or
                ends the assistant's turn with no stop token.
        """
        given = self.prompt(tokenizer, *prompt)
        whole = self._rendered(tokenizer, self.messages(*prompt, *completion))
        if not whole.startswith(given):
            raise UserError(
                "chat_template_kwargs: the chat template begins an answer with "
                f"{given[-40:]!r}, but writes something else there when the answer is known, so "
                "the model would be trained on what it is never shown. Set the template's "
                "variables so that both agree (such as enable_thinking: false)"
            )
        # Apart from each other, because the model, too, meets the prompt without its answer.
        learnt = tokenizer(whole[len(given) :], add_special_tokens=False)["input_ids"]
        ends = [place for place, token in enumerate(learnt) if token in stop_tokens]
        if not ends or tokenizer.decode(learnt[ends[-1] + 1 :]).strip():
            raise UserError(
                f"base_model: the chat template ends an answer with {whole[-20:]!r}, which holds "
                "no stop token of the tokenizer or of generation_config.json, so the model would "
                "never learn to stop: add the template's end-of-turn token to eos_token_id there"
            )
        return tokenizer(given, add_special_tokens=False)["input_ids"], learnt[: ends[-1] + 1]

    def _rendered(self, tokenizer: Any, messages: list[Message], **how: bool) -> str:
        try:
            return tokenizer.apply_chat_template(
                messages, tokenize=False, **how, **self.template_kwargs
            )
        except jinja2.TemplateError as error:
            raise UserError(
                f"the base model's chat template refuses the chat ({error}): remove system_prompt "
                "if it knows none, and check chat_template_kwargs"
            ) from error


def checked_template_kwargs(value: dict[str, Any]) -> dict[str, Any]:
    """The same variables of a chat template; ValueError if an experiment cannot set them."""
    taken = sorted(_SET_BY_US & value.keys())
    if taken:
        raise ValueError(f"{', '.join(taken)}: set by sl-dagster itself; remove it")
    try:
        json.dumps(value)
    except TypeError as error:
        raise ValueError(f"{error}: write numbers, texts, true, false or lists") from None
    return value


def stop_tokens(generation_config: Any, tokenizer: Any) -> set[int]:
    """The tokens that end a turn: the tokenizer's, and those of the model's generation settings."""
    ends = generation_config.eos_token_id
    listed: Iterable[int | None] = ends if isinstance(ends, list) else [ends]
    return {token for token in (*listed, tokenizer.eos_token_id) if token is not None}
