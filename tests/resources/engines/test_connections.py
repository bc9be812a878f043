"""The way to an endpoint: proxies and certificates that the environment names."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from sl_dagster.commands.web_ui import _greet
from sl_dagster.errors import UserError
from sl_dagster.experiment import VllmSettings
from sl_dagster.lineage.server import _shown_at
from sl_dagster.resources.engines.endpoint import Endpoint
from sl_dagster.resources.engines.vllm_server import VllmServer
from sl_dagster.resources.local import is_local, open_local
from tests.resources.engines.conftest import (
    LOOP,
    REQUEST,
    TEXT,
    VLLM,
    complete,
    mini_experiment,
    on_endpoints,
)
from tests.resources.engines.servers import MODEL, Handler, Server

PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


class Proxy(Server):
    """Notes who comes by, and refuses everybody."""

    def __init__(self) -> None:
        super().__init__()
        self.RequestHandlerClass = Refusing
        self.seen: list[str] = []


class Refusing(Handler):
    def do_GET(self) -> None:  # noqa: N802
        assert isinstance(self.server, Proxy)
        self.server.seen.append(self.path)
        self.send_bytes(403, b"denied")

    do_POST = do_CONNECT = do_GET  # noqa: N815


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    proxy = Proxy()
    proxy.start()
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    for name in PROXIES:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
    yield proxy
    proxy.shutdown()
    proxy.server_close()


def test_servers_on_this_machine_are_asked_past_any_proxy(server: Server, proxy: Proxy) -> None:
    root = server.url.removesuffix("/v1")
    with open_local(f"{root}/about", timeout=5) as answer:
        assert answer.status == 200
    assert _shown_at("127.0.0.1", server.server_port), "it has answered"
    _greet(Mock(), root, ["it is there"])
    assert proxy.seen == []


def test_our_own_server_is_asked_past_any_proxy(
    tmp_path: Path, server: Server, proxy: Proxy
) -> None:
    served = mini_experiment(tmp_path, engine=VLLM).served
    assert isinstance(served.engine, VllmSettings)
    ours = VllmServer(served, served.engine, say=lambda line: None)
    ours.url = server.url
    ours._process = Mock(poll=lambda: None)
    assert ours._gets_ready()

    async def ask() -> str:
        endpoint = Endpoint(ours.url, ours.api_key, MODEL, 9, None, served.chat)
        try:
            return (await endpoint.complete(REQUEST)).text
        finally:
            await endpoint.close()

    assert LOOP.run(ask()) == TEXT
    assert proxy.seen == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
        ("SSL_CERT_FILE", "/nowhere.pem"),
        ("http_proxy", "ftp://x:1"),
        ("http_proxy", "http://[::1"),
    ],
)
def test_a_local_endpoint_needs_no_way_out(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    (answer,) = complete(on_endpoints(tmp_path, [server.url], {"model": MODEL}), REQUEST)
    assert answer.text == TEXT


def test_others_are_asked_through_the_proxy(tmp_path: Path, proxy: Proxy) -> None:
    with pytest.raises(UserError, match="cannot be used"):
        complete(on_endpoints(tmp_path, ["http://node1:8000/v1"]), REQUEST)
    assert proxy.seen == ["http://node1:8000/v1/models"]


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("ALL_PROXY", "socks5://proxy:1080", "socksio"),
        ("all_proxy", "socks4://proxy:1080", "socks4"),
        ("http_proxy", "ftp://proxy:1", "ftp"),
        ("http_proxy", "http://[::1", "http_proxy"),
        ("https_proxy", "http://proxy:port", "port"),
        ("HTTPS_PROXY", "http://me:pass@word@proxy:secret/", "InvalidURL"),
        ("SSL_CERT_FILE", "/nowhere.pem", "No such file"),
        ("SSL_CERT_FILE", __file__, "SSL_CERT_FILE"),
    ],
)
def test_a_way_that_cannot_be_taken_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, named: str
) -> None:
    monkeypatch.setenv(variable, value)
    url = "https://api.example.com/v1"
    with pytest.raises(UserError, match=f"^{url} cannot be asked by the way") as caught:
        complete(on_endpoints(tmp_path, [url]), REQUEST)
    assert variable in str(caught.value)
    assert named in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://x" + "y" * 70_000, "http://x/v1\x00", "http://x:a/v1"])
def test_an_address_that_is_none_is_named(url: str) -> None:
    chat: Any = None
    with pytest.raises(UserError, match=re.escape("engine.base_urls: 'http://")):
        Endpoint(url, None, MODEL, 9, None, chat)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://127.9.9.9/v1", True),
        ("http://localhost:8000/v1", True),
        ("http://[::1]:8000/v1", True),
        ("https://127.0.0.1/v1", False),  # SSL_CERT_FILE may be needed
        ("http://node1:8000/v1", False),
        ("http://10.0.0.1:8000/v1", False),
        ("http://localhost.example.com/v1", False),
    ],
)
def test_what_is_local(url: str, local: bool) -> None:
    assert is_local(url) is local
