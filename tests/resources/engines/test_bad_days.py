"""Endpoints on bad days: what is asked again, what comes of it, and what is said."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
import tenacity

from sl_dagster.errors import UserError
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines import health, remote_engine
from sl_dagster.resources.engines.endpoint_errors import seconds_asked_for
from sl_dagster.resources.engines.openai_engine import OpenAIEngine
from tests.resources.engines.conftest import (
    PLAIN,
    REQUEST,
    TEXT,
    TOPICS,
    complete,
    on_endpoints,
    request,
)
from tests.resources.engines.servers import MODEL, Handler, Server, dropped


@pytest.fixture
def connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., OpenAIEngine]:
    """Opens an engine on endpoints that does not wait long before asking again."""
    monkeypatch.setattr(tenacity, "wait_random_exponential", lambda **_: tenacity.wait_none())

    def opened(*servers: Server, **settings: Any) -> OpenAIEngine:
        return on_endpoints(tmp_path, [one.url for one in servers], {"model": MODEL, **settings})

    return opened


def half_a_stream(handler: Handler, body: dict[str, Any]) -> None:
    whole = json.dumps(handler.answer(body, "a text that never comes whole")).encode()
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(whole)))
    handler.end_headers()
    handler.wfile.write(whole[: len(whole) // 2])
    handler.close_connection = True


def of_another_request(handler: Handler, body: dict[str, Any]) -> None:
    answer = handler.answer(body, "what somebody else wanted to know")
    handler.send(200, answer | {"id": "chatcmpl-sl-dagster-0123456789abcdef"})


def slow(handler: Handler, body: dict[str, Any]) -> None:
    time.sleep(3)


def as_a_page(handler: Handler, body: dict[str, Any]) -> None:
    page = b"<html>Bad gateway</html>"
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.send_header("Content-Length", str(len(page)))
    handler.end_headers()
    handler.wfile.write(page)


def with_fields(**fields: Any) -> Callable[[Handler, dict[str, Any]], None]:
    def reply(handler: Handler, body: dict[str, Any]) -> None:
        handler.send(200, handler.answer(body, "x") | fields)

    return reply


BAD_DAYS = {
    "half a stream": half_a_stream,
    "dropped": dropped,
    "another request's": of_another_request,
    "slow": slow,
    "a page": as_a_page,
    "no JSON": b'{"id": "1", "choices": [{',
    "a list": b"[1, 2]",
    "null": b"null",
    "deep": b"[" * 100_000,
    "empty": b"",
    "no choices": with_fields(choices=[]),
    "choices is null": with_fields(choices=None),
    "no message": with_fields(choices=[{"index": 0, "finish_reason": "stop"}]),
    "no text": with_fields(choices=[{"message": {"content": 3}, "finish_reason": "stop"}]),
    "an error with 200": b'{"error": {"message": "overloaded"}}',
    **{str(status): status for status in (408, 425, 429, 500, 502, 503, 504, 529)},
}


@pytest.mark.parametrize("day", BAD_DAYS)
def test_a_bad_day_passes(server: Server, connect: Callable[..., OpenAIEngine], day: str) -> None:
    """Asked again, with the same seed, until the endpoint has come to itself."""
    server.replies = [BAD_DAYS[day]]
    engine = connect(server, request_timeout=1)
    said: list[str] = []
    engine.say = said.append
    (answer,) = complete(engine, REQUEST)
    assert answer.text == TEXT
    assert [body["seed"] for body in server.asked] == [7, 7]
    assert any(line.startswith("asking again in 0 s: ") for line in said)


@pytest.mark.parametrize("day", ["a page", "no JSON", "no choices", "another request's", "500"])
def test_days_that_do_not_pass_end_with_what_came(
    server: Server, connect: Callable[..., OpenAIEngine], day: str
) -> None:
    server.replies = [BAD_DAYS[day]] * 10
    with pytest.raises(UserError, match=rf"no answer after 6 attempts: .*{server.url}") as caught:
        complete(connect(server), REQUEST)
    assert len(server.asked) == 6
    came = {"a page": "Bad gateway", "another request's": "another request", "500": "not today"}
    assert came.get(day, "cannot be read") in str(caught.value)


@pytest.mark.parametrize("day", ["no JSON", "500"])
def test_a_request_that_always_puzzles_gets_another_seed(
    server: Server, connect: Callable[..., OpenAIEngine], day: str
) -> None:
    def puzzled(handler: Handler, body: dict[str, Any]) -> None:
        if body["seed"] == 7:
            reply = BAD_DAYS[day]
            return handler.error(500, "oh") if reply == 500 else handler.send_bytes(200, b"{")
        return handler.send(200, handler.answer(body, "at last"))

    server.replies = [puzzled] * 10
    for _ in range(2):
        (answer,) = complete(connect(server), REQUEST)
        assert answer.text == "at last"
    seeds = [body["seed"] for body in server.asked]
    assert seeds[:2] == [7, 7]
    assert seeds[2] != 7
    assert seeds[3:] == seeds[:3], "the same seeds in every run"


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 422])
def test_a_refusal_is_told_at_once(
    server: Server, connect: Callable[..., OpenAIEngine], status: int
) -> None:
    server.replies = [status]
    with pytest.raises(UserError, match=rf"{server.url} refuses the request: .*not today"):
        complete(connect(server), REQUEST)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (r"half \ud83d alone", "half \ufffd alone"),
        (r"NUL \u0000 and \u001b[2J", "NUL \ufffd and \ufffd[2J"),
        ("wrong bytes \udcff\udcfe", "wrong bytes \ufffd\ufffd"),
        ("", ""),
    ],
)
def test_text_is_text(
    server: Server, connect: Callable[..., OpenAIEngine], body: str, text: str
) -> None:
    def reply(handler: Handler, asked: dict[str, Any]) -> None:
        content = json.dumps(handler.answer(asked, "TEXT")).encode()
        handler.send_bytes(200, content.replace(b"TEXT", body.encode("utf-8", "surrogateescape")))

    server.replies = [reply]
    (answer,) = complete(connect(server), REQUEST)
    assert (answer.text, answer.tokens) == (text, 2 if not body else answer.tokens)


def test_an_adapter_that_is_loaded_already_is_welcome(
    server: Server, connect: Callable[..., OpenAIEngine], make_adapter: Callable[[int], Adapter]
) -> None:
    """By another run, another experiment, or another engine of this run."""
    adapter = make_adapter(1)
    name = f"generator-{adapter.fingerprint}"
    for _ in range(2):
        (answer,) = complete(connect(server), request(TOPICS[0], PLAIN, adapter=adapter))
        assert answer.text.startswith("text ")
    assert (server.adapters, server.asked[-1]["model"]) == ({name}, name)


def test_an_adapter_that_has_gone_is_loaded_anew(
    server: Server, connect: Callable[..., OpenAIEngine], make_adapter: Callable[[int], Adapter]
) -> None:
    """Another run has unloaded it, or the endpoint has been started anew."""
    engine, adapter = connect(server), make_adapter(1)
    complete(engine, request(TOPICS[0], PLAIN, adapter=adapter))
    server.adapters.clear()
    (answer,) = complete(engine, request(TOPICS[0], PLAIN, adapter=adapter))
    assert answer.text.startswith("text ")


def test_who_loads_an_adapter_meanwhile_is_asked_again_as_often_as_it_needs(
    server: Server, connect: Callable[..., OpenAIEngine], make_adapter: Callable[[int], Adapter]
) -> None:
    """As Ray Serve LLM says it of all but one of the first requests: no illness, and no riddle."""

    def loading(handler: Handler, body: dict[str, Any]) -> None:
        words = "The lora adapter 'plain:x' has already been loaded.\n  File \"replica.py\"\n" * 99
        handler.error(500, f"Internal Server Error\n{words}")

    engine, adapter = connect(server), make_adapter(1)
    said: list[str] = []
    engine.say = said.append
    complete(engine, request(TOPICS[0], PLAIN))
    server.replies = [*[loading] * 5]
    server.examined = 0
    (answer,) = complete(engine, request(TOPICS[0], PLAIN, seed=7, adapter=adapter))
    assert answer.text.startswith("text ")
    assert [body["seed"] for body in server.asked[1:]] == [7] * 6
    assert server.examined == 0, "it was not left alone"
    assert all(len(line) < 400 and "\n" not in line for line in said)


@pytest.mark.parametrize("number", [1, 6])
def test_a_long_error_is_told_in_a_line(
    server: Server, connect: Callable[..., OpenAIEngine], number: int
) -> None:
    def page(handler: Handler, body: dict[str, Any]) -> None:
        handler.error(503, "\n".join(["Bad gateway", *["a line of a traceback"] * 500]))

    server.replies = [*[page] * number]
    engine = connect(server)
    said: list[str] = []
    engine.say = said.append
    if number == 1:
        complete(engine, REQUEST)
    else:
        with pytest.raises(UserError, match="Bad gateway") as caught:
            complete(engine, REQUEST)
        said.append(str(caught.value))
    assert all(len(line) < 600 and "\n" not in line for line in said)
    assert any("Bad gateway" in line for line in said)


def test_of_a_connection_is_told_why_it_failed(
    server: Server, connect: Callable[..., OpenAIEngine]
) -> None:
    server.replies = [dropped]
    engine = connect(server)
    said: list[str] = []
    engine.say = said.append
    complete(engine, REQUEST)
    assert any("Connection error: Server disconnected" in line for line in said), said


def test_an_answer_by_another_adapter_is_not_taken(
    server: Server, connect: Callable[..., OpenAIEngine], make_adapter: Callable[[int], Adapter]
) -> None:
    adapters = [make_adapter(1), make_adapter(2)]
    other = f"generator-{adapters[0].fingerprint}"
    engine = connect(server)
    complete(engine, *(request(TOPICS[0], PLAIN, adapter=one) for one in adapters))
    server.replies = [with_fields(model=other)]
    (answer,) = complete(engine, request(TOPICS[0], PLAIN, adapter=adapters[1]))
    assert answer.text.startswith("text ")


def limited(**headers: str) -> Callable[[Handler, dict[str, Any]], None]:
    def reply(handler: Handler, body: dict[str, Any]) -> None:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.send(429, {"error": {"message": "slow down"}}, **more)

    return reply


def test_who_says_when_to_come_back_is_not_asked_before(
    server: Server, connect: Callable[..., OpenAIEngine]
) -> None:
    server.replies = [limited(Retry_After="1000", Retry_After_ms="400")]
    engine = connect(server)
    complete(engine, request(TOPICS[1], PLAIN))
    server.replies = [limited(Retry_After="0.4")]
    begin = time.monotonic()
    assert complete(engine, REQUEST)[0].text == TEXT
    assert 0.4 <= time.monotonic() - begin < 5


def test_to_be_told_to_wait_is_no_attempt(
    server: Server, connect: Callable[..., OpenAIEngine]
) -> None:
    server.replies = [429] * 20
    assert complete(connect(server), REQUEST)[0].text == TEXT
    assert [body["seed"] for body in server.asked] == [7] * 21


def test_to_be_told_to_wait_ends_where_nobody_gets_an_answer(
    server: Server, connect: Callable[..., OpenAIEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_engine, "SECONDS_LIMITED", 0.3)
    server.replies = [429] * 100_000
    with pytest.raises(UserError, match=r"minutes of being told to ask less often: .*not today"):
        complete(connect(server), REQUEST)
    server.replies.clear()


@pytest.mark.parametrize("place", ["code", "type"])
@pytest.mark.parametrize("begins", [True, False])
def test_who_gives_no_credit_is_not_asked_again(
    server: Server, connect: Callable[..., OpenAIEngine], place: str, begins: bool
) -> None:
    def no_credit(handler: Handler, body: dict[str, Any]) -> None:
        handler.send(429, {"error": {"message": "pay first", place: "insufficient_quota"}})

    engine = connect(server)
    if begins:
        server.hello = no_credit
    else:
        server.replies = [no_credit]
    with pytest.raises(UserError, match=rf"{server.url} gives no credit any more: .*pay first"):
        complete(engine, request(TOPICS[0], PLAIN.model_copy(update={"top_k": 5})))


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("status", [429, 500, 502, 503, 529])
def test_who_is_busy_at_the_beginning_is_waited_for(
    server: Server,
    connect: Callable[..., OpenAIEngine],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    number: int,
) -> None:
    """As a server that is loading, or one with a limit; the only one that there is."""
    monkeypatch.setattr(health, "_FIRST_PAUSE", 0.02)
    engine, said = connect(server), []
    server.ill = status

    def say(line: str) -> None:
        said.append(line)
        if sum(one.startswith("no endpoint answers: asking again in") for one in said) == number:
            server.ill = None

    engine.say = say
    assert complete(engine, REQUEST)[0].text == TEXT
    assert said[0].startswith(f"{server.url} does not answer: it is asked again in 0 s: ")
    assert server.examined == number + 1
    assert len(server.asked) == 1


NOW = {"Date": "Wed, 21 Oct 2015 07:27:30 GMT"}
HEADERS: dict[str, tuple[dict[str, str], float]] = {
    "none": ({}, 0),
    "seconds": ({"Retry-After": "30"}, 30),
    "a fraction": ({"retry-after": "1.5"}, 1.5),
    "milliseconds": ({"Retry-After-Ms": "250", "Retry-After": "1"}, 0.25),
    "too long": ({"Retry-After": "86400"}, 600),
    "for ever": ({"Retry-After": "inf"}, 600),
    "before": ({"Retry-After": "-3"}, 0),
    "no number": ({"Retry-After": "nan"}, 0),
    "words": ({"Retry-After": "soon"}, 0),
    "empty": ({"Retry-After": ""}, 0),
    "a date": ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT", **NOW}, 30),
    "a date far away": ({"Retry-After": "Thu, 22 Oct 2015 07:28:00 GMT", **NOW}, 600),
    "a date that was": ({"Retry-After": "Wed, 21 Oct 2015 07:27:00 GMT", **NOW}, 0),
    "a date of nobody knows when": ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
    "no date": ({"Retry-After": "Wed, 99 Oct 99999 07:28:00 GMT"}, 0),
}


@pytest.mark.parametrize("case", HEADERS)
def test_how_long_an_endpoint_asks_to_be_left_alone(case: str) -> None:
    headers, seconds = HEADERS[case]
    asked = httpx2.Request("POST", "http://x/v1")
    response = httpx2.Response(429, headers=headers, request=asked)
    error = openai.RateLimitError("slow down", response=response, body=None)
    assert seconds_asked_for(error) == seconds
    assert seconds_asked_for(openai.APIConnectionError(request=asked)) == 0


def says(content: bytes | str | dict[str, Any], status: int = 200, kind: str = "application/json"):
    """A reply that is always the same."""
    body = json.dumps(content) if isinstance(content, dict) else content

    def reply(handler: Handler, asked: dict[str, Any]) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        if status != 204:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body.encode() if isinstance(body, str) else body)

    return reply


NO_MODELS = {
    "a page": says("<html>Open WebUI</html>", kind="text/html"),
    "a page of JSON": says("<html>log in</html>"),
    "nothing": says(b"", 204),
    "empty": says(b""),
    "null": says(b"null"),
    "a number": says(b"3"),
    "a list": says(b'[{"id": "plain"}]'),
    "no JSON": says(b'{"data": [{"id": '),
    "deep": says(b"[" * 100_000),
    "wrong bytes": says(b"\xff\xfe\x00"),
    "names": says({"data": ["plain"]}),
    "by name": says({"data": {"plain": {}}}),
    "data is null": says({"data": None}),
    "no ids": says({"data": [{"name": "plain"}]}),
    "null in a list": says({"data": [None]}),
    "an error with 200": says({"error": {"message": "overloaded"}}),
}


@pytest.mark.parametrize("answer", NO_MODELS)
def test_what_is_no_list_of_models_is_told_as_a_wrong_address(
    server: Server, connect: Callable[..., OpenAIEngine], answer: str
) -> None:
    server.models = NO_MODELS[answer]
    expected = rf"^engine.base_urls: {server.url} cannot be used: is this the address that ends in "
    with pytest.raises(UserError, match=expected):
        complete(connect(server), REQUEST)
    assert server.asked == []


def test_an_address_that_is_wrong_ends_the_run_though_others_answer(
    server: Server, connect: Callable[..., OpenAIEngine]
) -> None:
    other = Server().start()
    other.models = NO_MODELS["a page"]
    with pytest.raises(UserError, match=f"{other.url} cannot be used: is this the address"):
        complete(connect(server, other), REQUEST)
    other.shutdown()
    other.server_close()


def test_a_page_while_it_comes_back_is_a_bad_day(
    server: Server, connect: Callable[..., OpenAIEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_FIRST_PAUSE", 0.02)
    engine = connect(server)
    complete(engine, request(TOPICS[1], PLAIN))
    server.replies, server.models = [dropped], NO_MODELS["a page"]

    def say(line: str) -> None:
        if line.startswith("no endpoint answers"):
            server.models = None

    engine.say = say
    assert complete(engine, REQUEST)[0].text == TEXT


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ([], "serves no model at the moment: load plain there"),
        ([{"id": f"model-{n}"} for n in range(999)], r"serves model-0, .*\.\.\., not plain: set"),
        ([{"id": "other", "root": 3, "owned_by": "vllm"}], "serves other, not plain: set"),
    ],
)
def test_a_model_that_is_not_there(
    server: Server, connect: Callable[..., OpenAIEngine], models: list, said: str
) -> None:
    server.models = says({"data": models})
    with pytest.raises(UserError, match=said) as caught:
        complete(connect(server), REQUEST)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("body", [b"{", b"", b"null", b"<html>"])
def test_what_is_said_to_the_examination_needs_no_sense(
    server: Server, connect: Callable[..., OpenAIEngine], body: bytes
) -> None:
    server.hello = says(body)
    with pytest.raises(UserError, match=r"does not know .*continue_final_message"):
        complete(connect(server), REQUEST)


def test_why_nobody_can_be_asked_is_told(
    server: Server, tmp_path: Path, connect: Callable[..., OpenAIEngine]
) -> None:
    def loses_its_way(handler: Handler, body: dict[str, Any]) -> None:
        handler.send_bytes(307, b"", Location=handler.path)

    def bad_gzip(handler: Handler, body: dict[str, Any]) -> None:
        handler.send_bytes(200, b"no gzip", **{"Content-Encoding": "gzip"})

    for models, why in ((loses_its_way, "redirects"), (bad_gzip, "header"), (dropped, "disconn")):
        server.models = models
        with pytest.raises(UserError, match=f"{server.url} cannot be used: Connection.*{why}"):
            complete(connect(server), REQUEST)
    secure = server.url.replace("http:", "https:")
    with pytest.raises(UserError, match=rf"{secure}, http://\[.* cannot be used: .*SSL.*; Conn"):
        complete(on_endpoints(tmp_path, [secure, "http://[::1]:9/v1"], {"model": MODEL}), REQUEST)


USAGES: dict[str, tuple[Any, tuple[int, int]]] = {
    "none": (None, (0, 0)),
    "empty": ({}, (0, 0)),
    "a total": ({"total_tokens": 90}, (0, 0)),
    "nulls": ({"prompt_tokens": None, "completion_tokens": None}, (0, 0)),
    "half": ({"prompt_tokens": None, "completion_tokens": 4}, (0, 4)),
    "texts": ({"prompt_tokens": "3", "completion_tokens": "4"}, (0, 0)),
    "truths": ({"prompt_tokens": True, "completion_tokens": False}, (0, 0)),
    "negative": ({"prompt_tokens": -3, "completion_tokens": -4}, (0, 0)),
    "huge": ({"prompt_tokens": 10**21, "completion_tokens": 2**31}, (0, 0)),
    "a list": ([1], (0, 0)),
    "a number": (7, (0, 0)),
    "usual": ({"prompt_tokens": 3, "completion_tokens": 2**31 - 1}, (3, 2**31 - 1)),
}


@pytest.mark.parametrize("usage", USAGES)
def test_what_is_no_number_of_tokens_costs_no_answer(
    server: Server, connect: Callable[..., OpenAIEngine], usage: str
) -> None:
    said, expected = USAGES[usage]
    server.replies = [with_fields(usage=said)]
    (answer,) = complete(connect(server), REQUEST)
    assert (answer.prompt_tokens, answer.tokens) == expected
    assert len(server.asked) == 1


TOKEN = {"token": "yes", "logprob": -0.1, "top_logprobs": [{"token": "no", "logprob": -3}]}


@pytest.mark.parametrize(
    "logprobs",
    [
        {"content": [TOKEN | {"logprob": 1000}]},
        {"content": [TOKEN | {"logprob": None}]},
        {"content": [TOKEN | {"logprob": math.nan}]},
        {"content": [TOKEN | {"logprob": math.inf}]},
        {"content": [TOKEN | {"top_logprobs": [{"token": "no", "logprob": 1000}]}]},
        {"content": [TOKEN | {"top_logprobs": [{"token": None, "logprob": 1}]}]},
        {"content": [TOKEN | {"top_logprobs": [{"token": "no"}]}]},
        {"content": [TOKEN | {"top_logprobs": [3]}]},
        {"content": [{"token": "yes"}]},
        {"content": [{}]},
        {"content": [3]},
        {"content": "yes"},
        {"content": 3},
        {"tokens": ["yes"]},
        [1],
        3,
        None,
    ],
)
def test_what_is_no_probability_costs_no_answer(
    server: Server, connect: Callable[..., OpenAIEngine], logprobs: Any
) -> None:
    choice = {"message": {"content": "yes"}, "finish_reason": "stop", "logprobs": logprobs}
    server.replies = [with_fields(choices=[choice])]
    asked = request(TOPICS[0], PLAIN, choices=("yes", "no"), graded=True)
    (answer,) = complete(connect(server), asked)
    assert (answer.text, answer.probability) == ("yes", None)


TOO_LONG = {
    "OpenAI": "This model's maximum context length is 8192 tokens. However, you requested 9000",
    "vLLM": "The decoder prompt (length 300) is longer than the maximum model length of 128.",
    "llama.cpp": "the request exceeds the available context size, try increasing it",
    "Anthropic": "prompt is too long: 300000 tokens > 200000 maximum",
    "Anthropic's limit": "input length and `max_tokens` exceed context limit: 190000 + 20000",
    "Gemini": "The input token count (1200000) exceeds the maximum number of tokens allowed (9).",
    "LiteLLM": "Input tokens exceed the configured limit of 272000 tokens.",
    "Databricks": "the prompt exceeds maximum allowed tokens",
    "SGLang": "The input (300000 tokens) is longer than the model's context length (32768 tokens)",
    "TGI": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096",
    "TGI's inputs": "`inputs` must have less than 1024 tokens. Given: 5000",
    "Mistral": "Prompt holds 40000 tokens, too large for model with 32768 maximum context length",
    "Groq": "Please reduce the length of the messages or completion.",
    "xAI": "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
    "Bedrock": "Input is too long for requested model.",
    "Cohere": "too many tokens: total number of tokens in the prompt cannot exceed 4081",
    "llama-cpp-python": "Requested tokens (5000) exceed context window of 4096",
}


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize("who", TOO_LONG)
def test_a_text_that_is_too_long_ends_no_run(
    server: Server, connect: Callable[..., OpenAIEngine], who: str, status: int
) -> None:
    server.replies = [says({"error": {"message": TOO_LONG[who]}}, status)] * 2
    (answer,) = complete(connect(server), REQUEST)
    assert (answer.text, answer.finish_reason) == ("", "length")
    assert ["max_tokens" in body for body in server.asked] == [True, False]


@pytest.mark.parametrize(
    "reply",
    [
        says("<html>413 Request Entity Too Large</html>", 413, "text/html"),
        says({"error": {"message": "Request too large: tokens per minute (TPM): Limit 6"}}, 413),
        says({"error": {"message": "no", "code": "context_length_exceeded"}}, 400),
        says({"error": {"message": "no", "code": 400, "type": "exceed_context_size_error"}}, 400),
        says("the prompt is too long", 400, "text/plain"),
    ],
)
def test_it_is_known_by_its_code_too(
    server: Server, connect: Callable[..., OpenAIEngine], reply: Any
) -> None:
    server.replies = [reply] * 2
    assert complete(connect(server), REQUEST)[0].finish_reason == "length"


@pytest.mark.parametrize(
    "message",
    [
        "Your token quota is exceeded",
        "Budget has been exceeded! Tokens per day: 1000",
        "Invalid request: the array of stop strings is too long",
        "max_tokens must be at least 1",
        "the access token has expired",
        "model plain does not exist",
        "response_format is not supported",
    ],
)
def test_other_refusals_are_not_taken_for_it(
    server: Server, connect: Callable[..., OpenAIEngine], message: str
) -> None:
    server.replies = [says({"error": {"message": message}}, 400)]
    with pytest.raises(UserError, match="refuses the request"):
        complete(connect(server), REQUEST)
    assert len(server.asked) == 1
