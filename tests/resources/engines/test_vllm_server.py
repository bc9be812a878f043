"""The managed vLLM server: its options, what it says when it cannot start, and how it ends."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import psutil
import pytest

from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment, VllmSettings
from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.resources.engines import open_engine, vllm_server
from sl_dagster.resources.engines.vllm_options import (
    check_options,
    command_line,
    server_arguments,
)
from sl_dagster.resources.engines.vllm_server import VllmServer, explanation
from tests.families import FAMILIES, build_tokenizer
from tests.resources.engines.conftest import (
    TOPICS,
    VLLM,
    complete,
    mini_experiment,
    needs_vllm,
    request,
)

pytestmark = [pytest.mark.integration, needs_vllm]


RUN = """
import asyncio, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_DFL)  # pytest may ignore it, and would pass that on
from pathlib import Path
from tests.resources.engines.conftest import GREEDY, VLLM, mini_experiment, request
from sl_dagster.resources.engines import open_engine
engine = open_engine(mini_experiment(Path(sys.argv[1]), engine=VLLM).served)
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
        ({"max_model_len": 10**7}, "vLLM did not start"),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, options: dict, expected: str) -> None:
    settings = VLLM | {"options": VLLM["options"] | options}
    engine = open_engine(mini_experiment(tmp_path, engine=settings).served)
    with pytest.raises(UserError, match=f"(?s){expected}"):
        complete(engine, request(TOPICS[0]))
    engine.close()


# What vLLM's parser says last to each of several command lines, or None where it accepts one.
_PARSED = """
import contextlib, io, json, sys
from sl_dagster.resources.engines.vllm_arguments import main
said = []
for arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    with contextlib.redirect_stderr(io.StringIO()) as error:
        try:
            said.append(main())
        except SystemExit as end:
            print(end.code if isinstance(end.code, str) else "", file=error)
            said.append(error.getvalue().strip().splitlines()[-1])
print(json.dumps(said))
"""


def test_vllm_checks_its_options_before_anything_runs(tmp_path: Path) -> None:
    """One program for all, since vLLM takes long to import."""
    expected: list[tuple[dict[str, Any], str | None]] = [
        ({"enable_prefix_caching": False, "compilation_config": {"mode": 0}}, None),
        ({"max_model_len": "many"}, "argument --max-model-len"),
        ({"enable_auto_tool_choice": True}, "requires --tool-call-parser"),
        ({}, None),
    ]
    command_lines = [
        server_arguments(experiment.served, engine, port=0)
        for experiment, engine in (with_options(tmp_path, options) for options, _ in expected)
    ]
    parsed = subprocess.run(
        [sys.executable, "-c", _PARSED, json.dumps(command_lines)], capture_output=True, text=True
    )
    assert parsed.returncode == 0, parsed.stderr
    for (options, words), said in zip(expected, json.loads(parsed.stdout), strict=True):
        assert words in said if words else said is None, options


def test_options_that_vllm_does_not_accept_are_an_error(tmp_path: Path) -> None:
    experiment, engine = with_options(tmp_path, {"no_such_option": 1})
    unknown = "engine.options: .*unrecognized arguments: --no-such-option"
    with pytest.raises(UserError, match=unknown):
        check_options(experiment.served, engine)


def with_options(folder: Path, options: dict[str, Any]) -> tuple[Experiment, VllmSettings]:
    """An experiment on vLLM with these options besides the tests' own."""
    experiment = mini_experiment(folder, engine=VLLM | {"options": VLLM["options"] | options})
    assert isinstance(experiment.engine, VllmSettings)
    return experiment, experiment.engine


def test_an_unknown_architecture_is_named(tmp_path: Path) -> None:
    build_tokenizer(FAMILIES["qwen2"]).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "no_such_architecture"}')
    engine = open_engine(mini_experiment(tmp_path, base_model=str(tmp_path), engine=VLLM).served)
    with pytest.raises(UserError, match=r"base_model: .* cannot be loaded: .*no_such_architecture"):
        complete(engine, request(TOPICS[0]))
    engine.close()


def test_where_vllm_is_not_installed_it_says_how_to_get_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    engine = open_engine(mini_experiment(tmp_path, engine=VLLM).served)
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


DATED = """{{ strftime_now('%d %b %Y') }}{% for m in messages %}{{ m.content }}{% endfor %}"""


@pytest.mark.parametrize(
    ("template", "options", "told"),
    [
        (None, {}, None),
        (DATED, {}, DATED.replace("{{ strftime_now('%d %b %Y') }}", "{{ '26 Jul 2024' }}")),
        (DATED, {"chat_template": "mine.jinja"}, None),
    ],
)
def test_a_server_is_told_no_date_of_today(
    tmp_path: Path, monkeypatch, template: str | None, options: dict[str, str], told: str | None
) -> None:
    started: list[str] = []
    monkeypatch.setenv("SL_DAGSTER_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(
        vllm_server.subprocess, "Popen", lambda command, **more: started.extend(command)
    )
    monkeypatch.setattr(vllm_server.threading, "Thread", Mock())
    build_tokenizer(FAMILIES["qwen2"], template).save_pretrained(tmp_path)
    shutil.copy(PROJECT_ROOT / "sl_dagster/demo/model/config.json", tmp_path)
    engine = {"type": "vllm", "options": options}
    served = mini_experiment(tmp_path, base_model=str(tmp_path), engine=engine).served
    assert isinstance(served.engine, VllmSettings)
    VllmServer(served, served.engine, say=print)._launch(1)
    files = [started[place + 1] for place, name in enumerate(started) if name == "--chat-template"]
    ours = [Path(file).read_text() for file in files if file not in options.values()]
    assert ours == ([] if told is None else [told])


def test_a_judges_server_has_no_adapters(tmp_path: Path) -> None:
    judge = {"model": "some/judge", "engine": {"type": "vllm"}}
    experiment = mini_experiment(tmp_path, judge=judge, engine={"type": "vllm"})
    expected = ((experiment.served, "--enable-lora"), (experiment.served_judge, "--no-enable-lora"))
    for served, flag in expected:
        assert isinstance(served.engine, VllmSettings)
        arguments = server_arguments(served, served.engine, 1)
        assert [one for one in arguments if one.endswith("enable-lora")] == [flag]
        assert arguments[arguments.index("--model") + 1] == served.model
