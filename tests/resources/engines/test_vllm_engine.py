"""The vLLM engine: same texts as transformers, deaths of its server, and others that use it."""

import asyncio
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from sl_dagster.errors import UserError
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines import Completion, Engine, open_engine
from sl_dagster.resources.engines.vllm_engine import VllmEngine
from tests.conftest import DEMO_MODEL
from tests.listening import open_to_others
from tests.resources.engines.conftest import (
    BASE,
    GREEDY,
    LOOP,
    SAMPLED,
    TOPICS,
    VLLM,
    complete,
    mini_experiment,
    needs_vllm,
    request,
)

pytestmark = [pytest.mark.integration, needs_vllm]


@pytest.fixture
def vllm(open_engines: Callable[[str], Engine]) -> VllmEngine:
    engine = open_engines("vllm")
    assert isinstance(engine, VllmEngine)
    return engine


def server_processes(engine: VllmEngine) -> list[psutil.Process]:
    """The guard of the engine's server and everything below it."""
    process = engine.server._process
    assert process
    guard = psutil.Process(process.pid)
    return [guard, *guard.children(recursive=True)]


def test_its_server_is_for_this_machine_and_those_with_the_key(vllm: VllmEngine) -> None:
    complete(vllm, request(TOPICS[0], GREEDY.model_copy(update={"max_tokens": 1})))
    assert open_to_others(server_processes(vllm)) == []
    for headers in ({}, {"Authorization": "Bearer guessed"}):
        asks = urllib.request.Request(f"{vllm.server.url}/models", headers=headers)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(asks, timeout=60)
        assert refused.value.code == 401


def test_greedy_texts_are_those_of_transformers(
    open_engines: Callable[[str], Engine], make_adapter: Callable[[int], Adapter]
) -> None:
    greedy = GREEDY.model_copy(update={"max_tokens": 60})
    requests = [
        request(topic, greedy, adapter=adapter)
        for adapter in (BASE, make_adapter(5))
        for topic in TOPICS
    ]
    requests += [request(topic, greedy, begun="Once upon a time") for topic in TOPICS]
    there, here = (complete(open_engines(kind), *requests) for kind in ("vllm", "transformers"))
    assert [c.prompt_tokens for c in there] == [c.prompt_tokens for c in here]
    assert sum(answer.finish_reason == "repetition" for answer in there) <= 5
    same = [
        # Only vLLM ends a loop before the token limit does.
        mine.text.startswith(its.text) if its.finish_reason == "repetition" else mine == its
        for mine, its in zip(here, there, strict=True)
    ]
    # Two tokens can be so close that another order of additions decides; more is no coincidence.
    assert sum(same) >= len(same) - 1


def test_a_loop_is_ended_early_and_named(vllm: VllmEngine) -> None:
    # With every other token forbidden to win, the model can only repeat itself.
    stuck = GREEDY.model_copy(update={"repetition_penalty": 0.01, "max_tokens": 400})
    answers = complete(vllm, *(request(topic, stuck) for topic in TOPICS))
    assert any(answer.finish_reason == "repetition" for answer in answers)
    assert all(answer.tokens < 400 for answer in answers if answer.finish_reason == "repetition")


def test_a_server_that_dies_is_started_once_more(tmp_path: Path) -> None:
    engine = open_engine(mini_experiment(tmp_path, engine=VLLM).served)
    assert isinstance(engine, VllmEngine)
    said: list[str] = []
    engine.say = said.append
    long = SAMPLED.model_copy(update={"max_tokens": 60})
    requests = [request(TOPICS[n % 5], long, seed=n) for n in range(300)]

    async def killed_in_between() -> list[Completion]:
        waiting = [asyncio.ensure_future(engine.complete(one)) for one in requests]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for process in server_processes(engine):
            process.kill()
        return await asyncio.gather(*waiting)

    try:
        answers = LOOP.run(killed_in_between())
        assert len(answers) == len(requests)
        assert any("starting it again" in line for line in said)
        assert answers[:20] == complete(engine, *requests[:20]), "nothing lost, nothing mixed up"
        with pytest.raises(UserError, match="died 2 times"):
            LOOP.run(killed_in_between())
    finally:
        engine.close()


def test_an_endpoint_that_others_run_can_be_used(
    vllm: VllmEngine, tmp_path: Path, monkeypatch, make_adapter: Callable[[int], Adapter]
) -> None:
    expected = complete(vllm, request(TOPICS[0], GREEDY))
    monkeypatch.setenv("THE_KEY", vllm.server.api_key)
    settings = {
        "type": "openai",
        "base_urls": [vllm.server.url, vllm.server.url],
        "api_key_env": "THE_KEY",
        "model": "base",
    }
    engine = open_engine(mini_experiment(tmp_path, engine=settings).served)
    said: list[str] = []
    engine.say = said.append
    assert complete(engine, request(TOPICS[0], GREEDY)) == expected
    adapted = complete(engine, request(TOPICS[0], GREEDY, adapter=make_adapter(6)))
    assert adapted != expected
    (chosen,) = complete(engine, request(TOPICS[0], choices=("是", "否")))
    assert chosen.text in ("是", "否")
    assert said == [], "it is known to know choices"


def test_adapters_that_others_servers_find_by_name_write_what_they_should(
    vllm: VllmEngine,
    open_engines: Callable[[str], Engine],
    tmp_path: Path,
    published: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_adapter: Callable[[int], Adapter],
) -> None:
    complete(vllm, request(TOPICS[0], GREEDY))
    monkeypatch.setenv("THE_KEY", vllm.server.api_key)
    adapter = make_adapter(7)
    asked = request(TOPICS[0], GREEDY.model_copy(update={"max_tokens": 20}), adapter=adapter)
    expected = complete(open_engines("transformers"), asked)[0].text
    settings = {
        "type": "openai",
        "base_urls": [vllm.server.url],
        "api_key_env": "THE_KEY",
        "model": "base",
        "adapters": {"publish_to": str(published)},
    }

    def found(**changes: Any) -> str:
        experiment = mini_experiment(tmp_path, **({"engine": settings} | changes))
        return complete(open_engine(experiment.served), asked)[0].text

    assert found() == expected
    name = f"generator-{adapter.fingerprint}"
    assert [folder.name for folder in published.iterdir()] == [name]
    # Each of these is told before the first record, by an adapter of zeros.
    (tmp_path / "elsewhere").mkdir()
    elsewhere = settings | {"adapters": {"publish_to": "elsewhere"}}
    with pytest.raises(UserError, match=r"cannot use an adapter of .*elsewhere.*does not exist"):
        found(engine=elsewhere)
    with pytest.raises(UserError, match=r"could not be loaded.*--max-lora-rank 999 or more"):
        found(training={"lora": {"rank": 999}})
    shutil.copytree(DEMO_MODEL, tmp_path / "same")
    both = f"started with the model {DEMO_MODEL}, and finds no adapters of {tmp_path}/same"
    with pytest.raises(UserError, match=both):
        found(base_model=str(tmp_path / "same"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model": "other"}, "serves base.*, not other: set engine.model"),
        ({"api_key_env": "WRONG_KEY"}, "does not accept the key"),
        ({"api_key_env": "NO_KEY"}, "engine.api_key_env: the environment has no variable NO_KEY"),
        ({"base_urls": ["http://127.0.0.1:9/v1"]}, "127.0.0.1:9/v1 cannot be used"),
    ],
)
def test_an_endpoint_that_cannot_be_used_says_why(
    vllm: VllmEngine, tmp_path: Path, monkeypatch, changes: dict, expected: str
) -> None:
    complete(vllm, request(TOPICS[0], GREEDY))
    monkeypatch.setenv("THE_KEY", vllm.server.api_key)
    monkeypatch.setenv("WRONG_KEY", "nonsense")
    settings = {
        "type": "openai",
        "base_urls": [vllm.server.url],
        "api_key_env": "THE_KEY",
        "model": "base",
    }
    engine = open_engine(mini_experiment(tmp_path, engine=settings | changes).served)
    with pytest.raises(UserError, match=expected):
        complete(engine, request(TOPICS[0]))


def test_closing_leaves_nothing_behind_and_the_next_request_starts_anew(
    vllm: VllmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last test here, so that the others need not wait for another server."""
    first = complete(vllm, request(TOPICS[0], GREEDY))
    processes = server_processes(vllm)
    vllm.release()  # while_training: stop
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert alive == []
    # With a path so short that sockets can be made there.
    temporary = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    assert complete(vllm, request(TOPICS[0], GREEDY)) == first
    processes = server_processes(vllm)
    assert [*temporary.glob("sl-dagster-*/*")], "the sockets of its processes, for one"
    vllm.close()
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert alive == []
    assert not [path for path in temporary.iterdir() if "torchinductor" not in path.name]
    shutil.rmtree(temporary)
