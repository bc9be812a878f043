"""Endpoints on bad days: what is asked again, what comes of it, and what is said."""

import json
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
import tenacity

from sl_dagster.errors import UserError
from sl_dagster.experiment import Sampling
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines import health, remote_engine
from sl_dagster.resources.engines.endpoint_errors import seconds_asked_for
from sl_dagster.resources.engines.openai_engine import OpenAIEngine
from tests.resources.engines.conftest import TOPICS, complete, on_endpoints, request
from tests.resources.engines.servers import MODEL, Handler, Server, dropped, expected_text

PLAIN = Sampling(temperature=1.0, top_k=0, repetition_penalty=1.0, max_tokens=9, stop=())
REQUEST = request(TOPICS[0], PLAIN, seed=7)
TEXT = expected_text({"model": MODEL, "messages": [REQUEST.message], "seed": 7})


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server().start()
    yield server
    server.shutdown()
    server.server_close()


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


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 413, 422])
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
    "a date": ({"Retry-After": formatdate(time.time() + 86400, usegmt=True)}, 600),
    "a date that was": ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
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
