"""Engines on the miniature model, each started once for all tests."""

import asyncio
import importlib.util
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sl_dagster.experiment import Experiment, Sampling, load_experiment
from sl_dagster.method.prompts import Message
from sl_dagster.resources.adapters import Adapter, adapter_fingerprint
from sl_dagster.resources.engines import Completion, Engine, Request, open_engine
from sl_dagster.resources.engines.openai_engine import OpenAIEngine
from tests.conftest import DEMO_MODEL
from tests.resources.engines.servers import MODEL, Server, expected_text

LOOP = asyncio.Runner()  # engines want all their requests from one event loop
BASE = Adapter("generator", "base-1")
SAMPLED = Sampling(
    temperature=1.0, top_p=0.95, top_k=50, repetition_penalty=1.0, max_tokens=40, stop=()
)
GREEDY = SAMPLED.model_copy(update={"temperature": 0.0})
TOPICS = ("the copper lantern", "Mara Quill", "the old mill", "the grey heron", "the salt fair")

VLLM: dict[str, Any] = {
    "type": "vllm",
    "environment": {"VLLM_CPU_KVCACHE_SPACE": "1"},
    "options": {
        "dtype": "float32",
        "enforce_eager": True,
        "max_num_seqs": 32,
        "max_model_len": 4096,
    },
}
needs_vllm = pytest.mark.skipif(
    importlib.util.find_spec("vllm") is None, reason="vLLM is not installed (make vllm)"
)


@pytest.fixture(autouse=True, scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps what engines write out of the project's folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SL_DAGSTER_DATA", str(tmp_path_factory.mktemp("data")))
        yield


def mini_experiment(folder: Path, **settings) -> Experiment:
    """An experiment with the miniature model."""
    (folder / "seeds.jsonl").write_text("")
    path = folder / "mini.yaml"
    content = {"base_model": str(DEMO_MODEL), "seeds": "seeds.jsonl"} | settings
    path.write_text(json.dumps(content))
    return load_experiment(path)


def on_endpoints(
    folder: Path, urls: Iterable[str], engine: dict[str, Any] | None = None, **settings: Any
) -> OpenAIEngine:
    """An engine on endpoints, with these settings of its own, and of the experiment."""
    plain = {"type": "openai", "base_urls": list(urls), "repetition_detection": None}
    opened = open_engine(mini_experiment(folder, engine=plain | (engine or {}), **settings).served)
    assert isinstance(opened, OpenAIEngine)
    return opened


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the vLLM server looks for adapters by name, too."""
    return tmp_path_factory.mktemp("published")


@pytest.fixture(scope="session")
def open_engines(
    tmp_path_factory: pytest.TempPathFactory, published: Path
) -> Iterator[Callable[[str], Engine]]:
    """Opens the engine of a type, at the first call."""
    engines: dict[str, Engine] = {}
    resolver = {
        "VLLM_LORA_RESOLVER_CACHE_DIR": str(published),
        "VLLM_PLUGINS": "lora_filesystem_resolver,sl_dagster",
    }
    environment = VLLM["environment"] | resolver
    vllm = VLLM | {"environment": environment}
    settings = {"transformers": {"type": "transformers"}, "vllm": vllm}

    def opened(kind: str) -> Engine:
        if kind not in engines:
            folder = tmp_path_factory.mktemp(kind)
            engines[kind] = open_engine(mini_experiment(folder, engine=settings[kind]).served)
        return engines[kind]

    yield opened
    for engine in engines.values():
        engine.close()


@pytest.fixture(params=["transformers", pytest.param("vllm", marks=needs_vllm)])
def engine(request: pytest.FixtureRequest, open_engines: Callable[[str], Engine]) -> Engine:
    """Every engine in turn."""
    return open_engines(request.param)


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    """An experiment with the miniature model."""
    return mini_experiment(tmp_path)


@pytest.fixture(scope="session")
def make_adapter(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Adapter]:
    """Makes LoRA adapters with random weights, strong enough to change what is written."""

    def make(seed: int) -> Adapter:
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_pretrained(DEMO_MODEL, dtype=torch.float32)
        lora = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False)
        folder = tmp_path_factory.mktemp(f"adapter{seed}")
        get_peft_model(model, lora).save_pretrained(str(folder))
        return Adapter("generator", adapter_fingerprint(folder), str(folder), 1)

    return make


def request(topic: str, sampling: Sampling = SAMPLED, seed: int = 1, **more) -> Request:
    message = Message(role="user", content=f"Write a story about {topic}.")
    return Request(message, sampling, seed, **({"adapter": BASE} | more))  # pyright: ignore


_ASKED: list[OpenAIEngine] = []


@pytest.fixture(autouse=True)
def connections_are_closed() -> Iterator[None]:
    """Those of a test's engines, as they must be before their event loop goes on without them."""
    yield

    async def close() -> None:
        while _ASKED:
            for endpoint in _ASKED.pop()._clients:
                await endpoint.close()

    LOOP.run(close())


def complete(engine: Engine, *requests: Request) -> list[Completion]:
    """All requests at the same time; answers in their order."""
    if isinstance(engine, OpenAIEngine):
        _ASKED.append(engine)

    async def all_of_them() -> list[Completion]:
        return await asyncio.gather(*(engine.complete(one) for one in requests))

    return LOOP.run(all_of_them())


PLAIN = Sampling(temperature=1.0, top_k=0, repetition_penalty=1.0, max_tokens=9, stop=())
REQUEST = request(TOPICS[0], PLAIN, seed=7)
TEXT = expected_text({"model": MODEL, "messages": [REQUEST.message], "seed": 7})
"""What is asked of a plain endpoint, and what it answers."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A plain endpoint."""
    server = Server().start()
    yield server
    server.shutdown()
    server.server_close()
