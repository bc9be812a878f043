"""A run on two vLLM servers that others run and that find adapters by name; one is killed."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pytest
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.resources.engines.vllm_server import free_port
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_key import StageKey
from tests.assets.conftest import Project
from tests.conftest import DEMO_MODEL, OUTCOME
from tests.resources.engines.conftest import needs_vllm
from tests.stored_stages import made_up, store

pytestmark = [pytest.mark.integration, needs_vllm]

SEEDS = PROJECT_ROOT / "seeds" / "demo.jsonl"  # they stand for instructions
SAMPLES = 5
STAGE = StageKey("small", "initial_responses", 2)
_RUNNING = "vllm:num_requests_running{"
RUN = (
    "run", "--experiment", "small", "--from", "2", "--iterations", "2",
    "--only", "previous_generator", "--only", STAGE.name,
)  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where adapters are published."""
    folder = tmp_path / "published"
    folder.mkdir()
    return folder


@contextmanager
def server(port: int, place: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A vLLM server as docs/engines.md says, on a CPU; killed in the end."""
    environment = os.environ | {
        "VLLM_PLUGINS": "lora_filesystem_resolver,sl_dagster",
        "VLLM_LORA_RESOLVER_CACHE_DIR": str(place),
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    }
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    command += ["--model", str(DEMO_MODEL), "--served-model-name", "mini", "--port", str(port)]
    command += ["--host", "127.0.0.1", "--enable-lora", "--max-lora-rank", "16"]
    command += ["--dtype", "float32", "--enforce-eager", "--max-model-len", "2048"]
    command += ["--max-num-seqs", "16", "--no-enable-chunked-prefill"]
    with (place.parent / f"{port}.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        killed(process)


def killed(process: subprocess.Popen[bytes]) -> None:
    """As when the host loses its power."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
            return
        time.sleep(0.5)
    raise AssertionError("the server has ended")


def is_busy(port: int) -> bool:
    """Whether a server is writing answers; each has its own share, and one is done before."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return any(float(line.split()[-1]) for line in lines if line.startswith(_RUNNING))


@pytest.fixture
def project(fresh: Project, place: Path, ports: tuple[int, int]) -> Project:
    """A project whose second iteration has its instructions, and a Generator to answer them."""
    fresh.change(
        engine={
            "type": "openai",
            "base_urls": [f"http://127.0.0.1:{port}/v1" for port in ports],
            "model": "mini",
            "adapters": {"publish_to": str(place)},
        },
        initial_responses={"samples": SAMPLES, "tries": 2, "sampling": {"max_tokens": 200}},
    )
    key = StageKey("small", "instructions", 2)
    texts = enumerate(map(json.loads, SEEDS.read_text(encoding="utf-8").splitlines()))
    store(fresh.data, key, [made_up(Text, key, n, text=one["instruction"]) for n, one in texts])
    key, adapters = StageKey("small", "generator_lora", 1), AdapterStore(data_dir=str(fresh.data))
    model = AutoModelForCausalLM.from_pretrained(DEMO_MODEL)
    lora = LoraConfig(r=4, target_modules="all-linear")
    get_peft_model(model, lora).save_pretrained(str(adapters.workplace(key, "f")))
    adapters.make_current(key, adapters.adopt(key, "generator", "f", OUTCOME))
    return fresh


@pytest.fixture
def ports() -> tuple[int, int]:
    return free_port(), free_port()


def finished_records(project: Project) -> Counter[str]:
    """How often each record of the stage is stored, whether it flows on or not."""
    stage = project.stage(STAGE.name, STAGE.iteration)
    with duckdb.connect() as memory:
        files = [str(path) for path in (stage.path, stage.rejected_path) if path.exists()]
        ids = memory.execute("SELECT record_id FROM read_parquet(?)", [files]).fetchall()
    with duckdb.connect(str(project.data / "lengths.duckdb"), read_only=True) as lengths:
        of_stage = "FROM record_lengths WHERE stage = ? AND iteration = ?"
        measured = lengths.execute(
            f"SELECT record_id {of_stage}", [STAGE.name, STAGE.iteration]
        ).fetchall()
    assert Counter(measured) == Counter(ids)
    return Counter(record for (record,) in ids if "." not in record)  # others are earlier attempts


def journalled(project: Project) -> int:
    journals = (project.data / STAGE.folder).glob("journal-*")
    return sum(path.read_bytes().count(b"\n") for path in journals)


def test_one_is_killed_in_the_middle_and_a_second_run_begins_without_it(
    project: Project, place: Path, ports: tuple[int, int]
) -> None:
    slots = SAMPLES * len(SEEDS.read_text(encoding="utf-8").splitlines())
    with server(ports[0], place) as first, server(ports[1], place) as second:
        wait_until_ready(ports[0], first)
        wait_until_ready(ports[1], second)
        with (project.root / "output.txt").open("wb") as output:
            run = subprocess.Popen(
                project.command(*RUN), env=project.environment, stdout=output, stderr=output
            )
        while journalled(project) < slots // 6:
            assert run.poll() is None, "the run ended too early"
            time.sleep(0.02)
        dead, process = next(
            (port, process)
            for port, process in zip(ports, (first, second), strict=True)
            if is_busy(port)
        )
        killed(process)
        assert run.wait() == 0
        said = (project.root / "output.txt").read_text(encoding="utf-8")
        assert f"http://127.0.0.1:{dead}/v1 fails: it is left alone for 5 s" in said
        records = finished_records(project)
        assert len(records) == slots
        assert set(records.values()) == {1}
        again = project.run_as_a_program(*RUN, "--force")
        assert again.returncode == 0, again.stdout + again.stderr
        assert f"http://127.0.0.1:{dead}/v1 does not answer" in again.stdout
        assert finished_records(project) == records
    assert len(list(place.iterdir())) == 1, "both runs have asked for the same adapter"
