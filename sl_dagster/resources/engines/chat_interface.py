"""OpenAI's chat interface: how a request is written in it, and what its answers mean."""

import math
from typing import Any

from openai.types.chat import ChatCompletion, ChatCompletionMessage
from openai.types.chat.chat_completion import Choice

from sl_dagster.experiment import RepetitionDetection
from sl_dagster.experiment.chat import Chat
from sl_dagster.method.filters import END_OF_TURN, STOP_STRING, UNKNOWN_END
from sl_dagster.method.thoughts import without_thoughts
from sl_dagster.resources.engines.protocol import Completion, Request

_ALTERNATIVES = 20  # to each token, with their probabilities: the most that the interface allows
_MOST_TOKENS = 2**31 - 1
_NO_SUCH_FIELD = object()


def request_fields(
    request: Request,
    model: str,
    detection: RepetitionDetection | None,
    knows_choices: bool,
    chat: Chat,
) -> dict[str, Any]:
    """What is sent for a request, vLLM's extensions only where they are needed."""
    sampling = request.sampling
    extra: dict[str, Any] = {}
    if chat.template_kwargs:
        extra["chat_template_kwargs"] = chat.template_kwargs
    if request.begun:
        extra |= {"continue_final_message": True, "add_generation_prompt": False}
    if sampling.top_k:
        extra["top_k"] = sampling.top_k
    if sampling.repetition_penalty != 1:
        extra["repetition_penalty"] = sampling.repetition_penalty
    if request.choices and knows_choices:
        extra["structured_outputs"] = {"choice": list(request.choices)}
    if request.choices and request.graded:
        extra |= {"logprobs": True, "top_logprobs": _ALTERNATIVES}
    if request.json_schema:
        # The standard's own field, which hosted endpoints and vLLM alike know.
        schema = {"name": "answer", "strict": True, "schema": request.json_schema}
        extra["response_format"] = {"type": "json_schema", "json_schema": schema}
    if detection:
        extra["repetition_detection"] = detection.model_dump()
    return {
        "model": model,
        "messages": chat.messages(request.message, begun=request.begun),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": request.seed,
        "stop": list(sampling.stop) or None,
        "extra_body": extra,
    }


def completion_of(answer: ChatCompletion, request: Request) -> Completion:
    """What an answer says that the model has written."""
    choice, usage = answer.choices[0], answer.usage
    if not isinstance(choice.message.content, str | None):
        raise TypeError(f"content is a {type(choice.message.content).__name__}")
    finish_reason = str(choice.finish_reason)
    # vLLM names the stop string that ended a turn, and counts the token if one did. Other servers
    # have no such field: they are taken at their word about tokens, and do not tell the two apart.
    stop_reason = getattr(choice, "stop_reason", _NO_SUCH_FIELD)
    if finish_reason == END_OF_TURN:
        if isinstance(stop_reason, str):
            finish_reason = STOP_STRING
        elif stop_reason is _NO_SUCH_FIELD and request.sampling.stop:
            finish_reason = UNKNOWN_END
    counts_end = finish_reason == END_OF_TURN and stop_reason is not _NO_SUCH_FIELD
    text = _written(choice.message, request)
    return Completion(
        text=text,
        tokens=max(0, _count(usage, "completion_tokens") - counts_end),
        prompt_tokens=_count(usage, "prompt_tokens"),
        finish_reason=finish_reason,
        probability=_probability_if_said(choice, text, request) if request.graded else None,
    )


def _count(usage: Any, name: str) -> int:
    """A number of tokens; 0 if the endpoint does not say, or says what can be none."""
    number = getattr(usage, name, None)
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= _MOST_TOKENS:
        return number
    return 0


def _written(message: ChatCompletionMessage, request: Request) -> str:
    """What was written, without what the model thought before it.

    Servers that tell the two apart report thoughts as ``reasoning`` or ``reasoning_content``.
    """
    if message.content is None and request.begun:
        # What goes on with a text is none, though a server may take all for thoughts that have not
        # ended.
        thoughts = (getattr(message, name, None) for name in ("reasoning", "reasoning_content"))
        return next((text for text in thoughts if text), "")
    return without_thoughts(message.content or "")


def _probability_if_said(choice: Choice, text: str, request: Request) -> float | None:
    """The same as ``_probability``; None also if what the endpoint says of it makes no sense."""
    try:
        probability = _probability(choice, text, request.choices)
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError):
        return None
    return probability if probability is not None and 0 <= probability <= 1 else None


def _probability(choice: Choice, text: str, choices: tuple[str, ...]) -> float | None:
    """How probable a text was among the choices, by its tokens and their alternatives.

    None if the endpoint does not say, or if the text is none of the choices.
    """
    steps = getattr(getattr(choice, "logprobs", None), "content", None) or []
    written, probability = "", 1.0
    for step in steps:
        if not step.top_logprobs:
            return None
        options = {option.token: option.logprob for option in step.top_logprobs}
        rivals: set[str] = set()
        for other in choices:
            # A tokenizer takes the longest token: the model means "no" by it, and hardly by "n".
            begun = [token for token in options if other.startswith(written + token)]
            rivals.update(sorted(begun, key=len)[-1:])
        rivals = {token for token in rivals if token != step.token}
        if written != text:
            rivals = {token for token in rivals if not text.startswith(written + token)}
        ours = math.exp(step.logprob)
        theirs = sum(math.exp(options[token]) for token in rivals)
        probability *= ours / (ours + theirs) if ours + theirs else 1.0
        if written == text:
            break  # the end of the turn
        written += step.token
    return probability if steps and written == text else None
