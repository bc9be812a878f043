"""What a vLLM engine leaves behind when its server is stopped, without a server."""

import asyncio
from types import SimpleNamespace
from typing import cast

from sl_dagster.experiment import ServedModel, VllmSettings
from sl_dagster.resources.engines.vllm_engine import VllmEngine
from sl_dagster.resources.engines.vllm_server import VllmServer


def test_connections_to_a_stopped_server_are_closed_before_the_next_one_is_asked() -> None:
    served = cast(ServedModel, SimpleNamespace(name="small", chat=None))
    engine = VllmEngine(served, VllmSettings(type="vllm"))
    server = SimpleNamespace(url="http://127.0.0.1:9/v1", api_key="key", alive=False)
    server.start = server.stop = lambda: None
    engine.server = cast(VllmServer, server)
    with asyncio.Runner() as loop:
        loop.run(engine.get_ready())
        [first] = engine._endpoints
        engine.close()
        assert not first._client.is_closed(), "there is no event loop to close it in"
        loop.run(engine.get_ready())
        assert first._client.is_closed()
        assert engine._endpoints != [first]
