"""Keys: which are taken, and that nobody sees them, whatever an endpoint quotes."""

import html
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tenacity
from dagster._utils.error import serializable_error_info_from_exc_info

from sl_dagster.errors import UserError
from sl_dagster.resources.engines import health, openai_engine, remote_engine
from sl_dagster.resources.engines.endpoint_errors import without_key
from sl_dagster.resources.engines.openai_engine import OpenAIEngine
from tests.resources.engines.conftest import REQUEST, TEXT, complete, on_endpoints
from tests.resources.engines.servers import MODEL, Handler, Server

KEY = "sk-abc-12345"


class Quoting(Server):
    """An endpoint that quotes the request in its errors.

    Attributes:
        begins: where it does: at the examination, or at the first request.
        status: of its answers; 200 is a page.
        keys: that it was shown.
    """

    def __init__(self) -> None:
        super().__init__()
        self.RequestHandlerClass = QuotingHandler
        self.begins = ""
        self.status = 403
        self.keys: list[str] = []


class QuotingHandler(Handler):
    def parse_request(self) -> bool:
        assert isinstance(self.server, Quoting)
        read = super().parse_request()
        self.server.keys.append(self.headers["Authorization"])
        return read

    def do_GET(self) -> None:  # noqa: N802
        self.quote() if self.server.begins == "examination" else super().do_GET()

    def do_POST(self) -> None:  # noqa: N802
        self.quote() if self.server.begins == "request" else super().do_POST()

    def quote(self) -> None:
        assert isinstance(self.server, Quoting)
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        said = f"{self.headers['Authorization']} may not: " * 9
        if self.server.status == 200:
            self.send_bytes(200, f"<html>{'x' * 180}{said}</html>".encode())
        else:
            self.error(self.server.status, said)

    server: Quoting


@pytest.fixture
def server() -> Iterator[Quoting]:
    server = Quoting()
    server.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., OpenAIEngine]:
    """Opens an engine that shows a key and does not wait before asking again."""
    monkeypatch.setattr(tenacity, "wait_random_exponential", lambda **_: tenacity.wait_none())
    monkeypatch.setattr(health, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(health, "_LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(remote_engine, "SECONDS_LIMITED", 0.1)
    monkeypatch.setattr(openai_engine, "SECONDS_LIMITED", 0.1)

    def opened(server: Server, key: str = KEY) -> OpenAIEngine:
        monkeypatch.setenv("OPENROUTER", key)
        return on_endpoints(tmp_path, [server.url], {"model": MODEL, "api_key_env": "OPENROUTER"})

    return opened


@pytest.mark.parametrize("begins", ["examination", "request"])
@pytest.mark.parametrize(
    "status", [200, 400, 401, 402, 403, 404, 408, 409, 413, 422, 425, 429, 500, 503]
)
def test_nobody_sees_what_an_endpoint_quotes(
    server: Quoting, connect: Callable[..., OpenAIEngine], status: int, begins: str
) -> None:
    """Not in the message, nor in what Dagster stores of the error and its causes, nor in a log."""
    engine = connect(server)
    said: list[str] = []
    engine.say = said.append
    if begins == "request":
        complete(engine, REQUEST)
    server.begins, server.status = begins, status
    try:
        complete(engine, REQUEST)
    except Exception:
        said += serializable_error_info_from_exc_info(sys.exc_info()).to_string().splitlines()
    told = "\n".join(said)
    assert server.keys[-1] == f"Bearer {KEY}"
    assert "sk-a" not in told


@pytest.mark.parametrize("around", ["{}", "{}\n", " {}\r\n", "\t{} "])
def test_what_stands_around_a_key_is_no_part_of_it(
    server: Quoting, connect: Callable[..., OpenAIEngine], around: str
) -> None:
    (answer,) = complete(connect(server, around.format(KEY)), REQUEST)
    assert answer.text == TEXT
    assert set(server.keys) == {f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("sk-abc\nsk-def", "holds line ends, control"),
        ("sk-abc\x1b[0m", "control characters"),
        ("sk-abc\u201c", "letters beyond ASCII"),
        ("sk-abc\udcff", "letters beyond ASCII"),
        ("sk-abcé", "letters beyond ASCII"),
        ('"sk-abc"', "in quotation marks"),
        ("'sk-abc'", "in quotation marks"),
        ('sk-abc"', "in quotation marks"),
    ],
)
def test_what_is_no_key_is_refused_without_showing_it(
    server: Quoting, connect: Callable[..., OpenAIEngine], key: str, wrong: str
) -> None:
    with pytest.raises(UserError, match=r"engine\.api_key_env: the variable OPENROUTER") as caught:
        complete(connect(server, key), REQUEST)
    assert wrong in str(caught.value)
    assert "sk-abc" not in str(caught.value)
    assert server.keys == []


@pytest.mark.parametrize("write", [str, repr, json.dumps, html.escape, lambda key: f"<{key}>"])
@pytest.mark.parametrize("key", [KEY, "sk-a", "a+b/c==12345", "it's&<one>", 'a"b\\c-12345'])
def test_a_key_is_found_however_it_is_written(key: str, write: Callable[[str], str]) -> None:
    assert key not in without_key(f"Bearer {write(key)}.", key)
    assert write(key)[1:-1] not in without_key(f"Bearer {write(key)}.", key)


@pytest.mark.parametrize("key", ["x", "EMPTY", "none", None])
def test_what_hardly_is_a_key_leaves_the_words_around_it(key: Any) -> None:
    said = "xylophones are EMPTY_HANDED, nonetheless"
    assert without_key(said, key) == said
