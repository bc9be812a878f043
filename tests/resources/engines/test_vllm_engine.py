"""The managed vLLM server: same texts as transformers, and how it starts, dies and ends."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from sl_dagster.adapters import Adapter
from sl_dagster.errors import UserError
from sl_dagster.experiment import VllmSettings, judge_experiment
from sl_dagster.resources.engines import Completion, Engine, open_engine
from sl_dagster.resources.engines.vllm_engine import VllmEngine
from sl_dagster.resources.engines.vllm_server import (
    VllmServer,
    check_options,
    command_line,
    explanation,
)
from sl_dagster.settings import PROJECT_ROOT
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
    whole = [n for n, answer in enumerate(there) if answer.finish_reason != "repetition"]
    assert len(whole) >= 10
    # Two tokens can be so close that another order of additions decides; more is no coincidence.
    assert sum(here[n] == there[n] for n in whole) >= len(whole) - 1


def test_a_loop_is_ended_early_and_named(vllm: VllmEngine) -> None:
    # With every other token forbidden to win, the model can only repeat itself.
    stuck = GREEDY.model_copy(update={"repetition_penalty": 0.01, "max_tokens": 400})
    answers = complete(vllm, *(request(topic, stuck) for topic in TOPICS))
    assert any(answer.finish_reason == "repetition" for answer in answers)
    assert all(answer.tokens < 400 for answer in answers if answer.finish_reason == "repetition")


def test_a_server_that_dies_is_started_once_more(tmp_path: Path) -> None:
    engine = open_engine(mini_experiment(tmp_path, engine=VLLM))
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


def test_closing_leaves_nothing_behind_and_the_next_request_starts_anew(tmp_path: Path) -> None:
    engine = open_engine(mini_experiment(tmp_path, engine=VLLM))
    assert isinstance(engine, VllmEngine)
    first = complete(engine, request(TOPICS[0], GREEDY))
    processes = server_processes(engine)
    engine.release()  # while_training: stop
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert alive == []
    assert complete(engine, request(TOPICS[0], GREEDY)) == first
    processes = server_processes(engine)
    engine.close()
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert alive == []


RUN = """
import asyncio, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_DFL)  # pytest may ignore it, and would pass that on
from pathlib import Path
from tests.resources.engines.conftest import GREEDY, VLLM, mini_experiment, request
from sl_dagster.resources.engines import open_engine
engine = open_engine(mini_experiment(Path(sys.argv[1]), engine=VLLM))
asyncio.run(engine.complete(request("the old mill", GREEDY)))
print(engine.server._process.pid, flush=True)
import time; time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_dead_run_leaves_no_server_behind(tmp_path: Path, how: signal.Signals) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path)], cwd=PROJECT_ROOT, stdout=subprocess.PIPE
    )
    assert run.stdout
    guard = psutil.Process(int(run.stdout.readline()))
    processes = [guard, *guard.children(recursive=True)]
    assert len(processes) > 2
    run.send_signal(how)
    run.wait()
    _, alive = psutil.wait_procs(processes, timeout=40)
    assert alive == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"no_such_option": 1}, "does not accept an option.*--no-such-option"),
        ({"max_model_len": "many"}, "does not accept an option.*max-model-len"),
        ({"max_model_len": 10**7}, "vLLM did not start"),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, options: dict, expected: str) -> None:
    settings = VLLM | {"options": VLLM["options"] | options}
    engine = open_engine(mini_experiment(tmp_path, engine=settings))
    with pytest.raises(UserError, match=f"(?s){expected}"):
        complete(engine, request(TOPICS[0]))
    engine.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, None),
        ({"enable_prefix_caching": False, "compilation_config": {"mode": 0}}, None),
        ({"no_such_option": 1}, "unrecognized arguments: --no-such-option"),
        ({"max_model_len": "many"}, "argument --max-model-len"),
        ({"enable_auto_tool_choice": True}, "requires --tool-call-parser"),
    ],
)
def test_vllm_checks_its_options_before_anything_runs(
    tmp_path: Path, options: dict, said: str | None
) -> None:
    experiment = mini_experiment(tmp_path, engine=VLLM | {"options": VLLM["options"] | options})
    assert isinstance(experiment.engine, VllmSettings)
    if said is None:
        check_options(experiment, experiment.engine)
    else:
        with pytest.raises(UserError, match=f"engine.options: .*{said}"):
            check_options(experiment, experiment.engine)


def test_an_unknown_architecture_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "no_such_architecture"}')
    engine = open_engine(mini_experiment(tmp_path, base_model=str(tmp_path), engine=VLLM))
    with pytest.raises(UserError, match=r"(?s)vLLM did not start: .*base_model"):
        complete(engine, request(TOPICS[0]))
    engine.close()


def test_where_vllm_is_not_installed_it_says_how_to_get_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    engine = open_engine(mini_experiment(tmp_path, engine=VLLM))
    with pytest.raises(UserError, match="vLLM is not installed here: run `make vllm`"):
        complete(engine, request(TOPICS[0]))


@pytest.mark.parametrize(
    ("last_words", "cause"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried", "too little memory"),
        ("ValueError: No available memory for the cache blocks.", "too little memory"),
        (
            "Model architectures ['X'] are not supported for now",
            "does not support the architecture",
        ),
        ("something else", "it ended before it was ready"),
    ],
)
def test_last_words_are_explained_and_shown(last_words: str, cause: str) -> None:
    message = explanation(last_words)
    assert cause in message
    assert last_words in message


def test_options_become_a_command_line() -> None:
    options = {"tensor_parallel_size": 2, "enforce_eager": True, "async_scheduling": False}
    assert command_line(options | {"seed": None}) == [
        "--tensor-parallel-size", "2", "--enforce-eager", "--no-async-scheduling",
    ]  # fmt: skip
    assert command_line({"a_list": [1, "b"], "a_dict": {"k": 1}}) == [
        "--a-list", "1", "b", "--a-dict", '{"k": 1}',
    ]  # fmt: skip


def test_a_judges_server_has_no_adapters(tmp_path: Path) -> None:
    judge = {"model": "some/judge", "engine": {"type": "vllm"}}
    experiment = mini_experiment(tmp_path, judge=judge, engine={"type": "vllm"})
    expected = ((experiment, "--enable-lora"), (judge_experiment(experiment), "--no-enable-lora"))
    for served, flag in expected:
        assert isinstance(served.engine, VllmSettings)
        arguments = VllmServer(served, served.engine, say=print).arguments(1)
        assert [one for one in arguments if one.endswith("enable-lora")] == [flag]
        assert arguments[arguments.index("--model") + 1] == served.base_model


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
    engine = open_engine(mini_experiment(tmp_path, engine=settings))
    said: list[str] = []
    engine.say = said.append
    assert complete(engine, request(TOPICS[0], GREEDY)) == expected
    adapted = complete(engine, request(TOPICS[0], GREEDY, adapter=make_adapter(6)))
    assert adapted != expected
    (chosen,) = complete(engine, request(TOPICS[0], choices=("是", "否")))
    assert chosen.text in ("是", "否")
    assert said == [], "it is known to know choices"


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
    engine = open_engine(mini_experiment(tmp_path, engine=settings | changes))
    with pytest.raises(UserError, match=expected):
        complete(engine, request(TOPICS[0]))
