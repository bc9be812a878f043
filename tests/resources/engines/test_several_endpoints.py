"""Several endpoints: who is asked, who is left alone, and what a death in the middle costs."""

import asyncio
import gc
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import tenacity

from sl_dagster.errors import UserError
from sl_dagster.experiment import Sampling
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines import Request, health, openai_engine
from sl_dagster.resources.engines.endpoint import Endpoint
from sl_dagster.resources.engines.openai_engine import OpenAIEngine
from sl_dagster.resources.engines.vllm_server import free_port
from tests.resources.engines.conftest import LOOP, complete, on_endpoints, request
from tests.resources.engines.servers import MODEL, Server, dropped, expected_text

PLAIN = Sampling(temperature=1.0, top_k=0, repetition_penalty=1.0, max_tokens=9, stop=())
PAUSE = 0.3  # seconds that an endpoint is left alone in these tests
REQUESTS = [request(f"number {n}", PLAIN, seed=n) for n in range(60)]


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    several = [Server().start() for _ in range(3)]
    yield several
    for server in several:
        server.shutdown()
        server.server_close()


@pytest.fixture
def connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., OpenAIEngine]:
    """Opens an engine on endpoints that waits neither before asking again nor for the ill."""
    monkeypatch.setattr(tenacity, "wait_random_exponential", lambda **_: tenacity.wait_fixed(0.05))
    monkeypatch.setattr(health, "_FIRST_PAUSE", PAUSE)
    monkeypatch.setattr(health, "_LONGEST_PAUSE", PAUSE)

    def opened(*urls: str) -> OpenAIEngine:
        return on_endpoints(tmp_path, urls, {"model": MODEL, "request_timeout": 20})

    return opened


@contextmanager
def process(port: int, model: str = MODEL, *answers: str) -> Iterator[subprocess.Popen[str]]:
    """An endpoint in a process of its own, killed in the end if it still lives."""
    command = [sys.executable, "-m", "tests.resources.engines.servers", str(port), model, *answers]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout and server.stdout.readline() == "ready\n"
            yield server
        finally:  # or else a test that fails would wait for it, for ever
            server.kill()


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}/v1"


def text_of(request: Request, model: str = MODEL) -> str:
    return expected_text({"model": model, "messages": [request.message], "seed": request.seed})


def shares(servers: list[Server]) -> dict[str, str]:
    """Which endpoint was asked for which prompt."""
    return {
        body["messages"][0]["content"]: server.url for server in servers for body in server.asked
    }


def test_a_prompt_stays_and_an_endpoint_that_goes_moves_only_its_own_share(
    servers: list[Server], connect: Callable[..., OpenAIEngine]
) -> None:
    complete(connect(*(server.url for server in servers)), *REQUESTS)
    before = shares(servers)
    sizes = Counter(before.values())
    assert min(sizes.values()) > 8, "each has its share"
    for server in servers:
        server.asked.clear()
    again = [request(f"number {n}", PLAIN, seed=100 + n) for n in range(60)]
    complete(connect(*(server.url for server in reversed(servers))), *again)
    assert shares(servers) == before, "other seeds, another order of URLs, another run"
    for server in servers:
        server.asked.clear()
    complete(connect(servers[0].url, servers[1].url), *REQUESTS)
    after = shares(servers)
    moved = {prompt for prompt in before if before[prompt] != after[prompt]}
    assert moved == {prompt for prompt in before if before[prompt] == servers[2].url}


def test_a_run_starts_when_one_of_several_answers(
    servers: list[Server], connect: Callable[..., OpenAIEngine]
) -> None:
    nobody = url(free_port())
    engine = connect(nobody, servers[0].url)
    said: list[str] = []
    engine.say = said.append
    assert [answer.text for answer in complete(engine, *REQUESTS)] == [*map(text_of, REQUESTS)]
    assert any(
        line.startswith(f"{nobody} does not answer: it is asked again in 0 s: Connection error: ")
        for line in said
    )
    with pytest.raises(UserError, match=rf"engine.base_urls: {nobody} cannot be used"):
        complete(connect(nobody), REQUESTS[0])


def test_one_that_cannot_do_what_is_needed_ends_the_run_before_the_first_record(
    servers: list[Server], connect: Callable[..., OpenAIEngine]
) -> None:
    servers[1].model = "another"
    with pytest.raises(UserError, match=f"{servers[1].url} serves another, not {MODEL}"):
        complete(connect(*(server.url for server in servers)), REQUESTS[0])
    assert not any(server.asked for server in servers)


def test_one_that_is_killed_in_the_middle_costs_nothing(
    connect: Callable[..., OpenAIEngine], make_adapter: Callable[[int], Adapter]
) -> None:
    """And it is taken back when it is there again, with its adapters."""
    ports = free_port(), free_port()
    adapter = make_adapter(1)
    requests = [request(f"number {n}", PLAIN, seed=n, adapter=adapter) for n in range(200)]
    expected = [text_of(one, f"generator-{adapter.fingerprint}") for one in requests]
    engine = connect(*map(url, ports))
    said: list[str] = []
    engine.say = said.append
    with ExitStack() as stack:
        # However fast it is: when it is killed, it has requests that it has not answered.
        first = stack.enter_context(process(ports[0], MODEL, "30"))
        second = stack.enter_context(process(ports[1]))
        answered: list[str] = []

        async def ask(one: Request) -> str:
            answer = await engine.complete(one)
            answered.append(answer.text)
            if len(answered) == 60:
                first.kill()
            return answer.text

        async def ask_all() -> list[str]:
            return await asyncio.gather(*map(ask, requests))

        assert LOOP.run(ask_all()) == expected
        assert first.wait() < 0
        assert len(answered) == len(requests)
        assert any(line.startswith(f"{url(ports[0])} fails: it is left alone") for line in said)
        stack.enter_context(process(ports[0]))
        deadline = time.monotonic() + 20
        while not any(line == f"{url(ports[0])} answers again" for line in said):
            assert time.monotonic() < deadline
            complete(engine, requests[0])
            time.sleep(0.05)
        second.kill()
        second.wait()
        assert [answer.text for answer in complete(engine, *requests)] == expected


def test_one_that_comes_back_as_another_model_is_asked_nothing(
    servers: list[Server], connect: Callable[..., OpenAIEngine]
) -> None:
    port = free_port()
    engine = connect(servers[0].url, url(port))
    said: list[str] = []
    engine.say = said.append
    with process(port):
        complete(engine, *REQUESTS)
    assert [answer.text for answer in complete(engine, *REQUESTS)] == [*map(text_of, REQUESTS)]
    refusal = f"{url(port)} serves another, not {MODEL}: set engine.model. It is asked nothing"
    with process(port, "another"):
        deadline = time.monotonic() + 20
        while not any(line.startswith(refusal) for line in said):
            assert time.monotonic() < deadline
            complete(engine, REQUESTS[0])
            time.sleep(0.05)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ResourceWarning)
            gc.collect()
        assert not [one for one in caught if "unclosed transport" in str(one.message)]
        assert [answer.text for answer in complete(engine, *REQUESTS)] == [*map(text_of, REQUESTS)]


def test_the_only_one_that_comes_back_as_another_model_ends_the_run(
    servers: list[Server], connect: Callable[..., OpenAIEngine]
) -> None:
    engine = connect(servers[0].url)
    complete(engine, REQUESTS[0])
    servers[0].model = "another"
    servers[0].replies = [dropped]
    with pytest.raises(UserError, match=f"{servers[0].url} serves another, not {MODEL}"):
        complete(engine, REQUESTS[1])


def test_one_that_stumbles_again_and_again_is_left_alone(
    servers: list[Server], connect: Callable[..., OpenAIEngine]
) -> None:
    servers[0].replies = [503] * 100
    engine = connect(servers[0].url, servers[1].url)
    said: list[str] = []
    engine.say = said.append
    for _ in range(3):
        complete(engine, *REQUESTS)
    assert any(line.startswith(f"{servers[0].url} fails: it is left alone") for line in said)
    servers[0].replies.clear()
    servers[0].asked.clear()
    deadline = time.monotonic() + 20
    while not servers[0].asked:
        assert time.monotonic() < deadline
        complete(engine, *REQUESTS)
        time.sleep(0.05)


def test_one_that_has_been_away_is_waited_for_while_the_other_only_stumbles(
    servers: list[Server], connect: Callable[..., OpenAIEngine]
) -> None:
    """Or else a request's attempts would be used up before it is taken back."""
    for one in REQUESTS[:4]:  # whichever of the two is asked first
        servers[0].replies = [503] * 6
        servers[1].replies = [dropped]
        (answer,) = complete(connect(servers[0].url, servers[1].url), one)
        assert answer.text == text_of(one)


def test_who_is_busy_is_not_left_alone(
    servers: list[Server], connect: Callable[..., OpenAIEngine]
) -> None:
    servers[0].replies = [429] * 20
    engine = connect(servers[0].url, servers[1].url)
    said: list[str] = []
    engine.say = said.append
    assert [answer.text for answer in complete(engine, *REQUESTS)] == [*map(text_of, REQUESTS)]
    assert not any("left alone" in line for line in said)


def test_who_is_ill_is_asked_nothing_until_one_look_finds_it_well(
    servers: list[Server], connect: Callable[..., OpenAIEngine]
) -> None:
    ill, well = servers[:2]
    engine = connect(ill.url, well.url)
    complete(engine, REQUESTS[0])
    ill.ill = 503
    begin = time.monotonic()
    complete(engine, *REQUESTS)
    ill.asked.clear()
    ill.examined = 0
    while ill.examined < 3:
        assert time.monotonic() < begin + 60
        assert [answer.text for answer in complete(engine, *REQUESTS)] == [*map(text_of, REQUESTS)]
    assert ill.asked == []
    rests = (time.monotonic() - begin) / PAUSE
    assert ill.examined <= rests + 1, "one look for each time that it has rested"
    ill.ill = None
    deadline = time.monotonic() + 60
    while not ill.asked:
        assert time.monotonic() < deadline
        complete(engine, *REQUESTS)
        time.sleep(0.05)


def test_while_nobody_answers_one_looks_for_all_and_no_attempt_is_lost(
    servers: list[Server], connect: Callable[..., OpenAIEngine]
) -> None:
    """However many wait, and for longer than the attempts of a request would last."""
    ill = servers[:2]
    engine = connect(*(server.url for server in ill))
    complete(engine, REQUESTS[0])
    for server in ill:
        server.asked.clear()
        server.ill, server.examined = 503, 0

    async def well_again() -> None:
        await asyncio.sleep(4 * PAUSE)
        for server in ill:
            server.ill = None

    async def ask_all() -> list[str]:
        recovery = asyncio.create_task(well_again())
        answers = await asyncio.gather(*map(engine.complete, REQUESTS))
        await recovery
        return [answer.text for answer in answers]

    begin = time.monotonic()
    assert LOOP.run(ask_all()) == [*map(text_of, REQUESTS)]
    rests = (time.monotonic() - begin) / PAUSE
    in_vain = sum(len(server.asked) for server in ill) - len(REQUESTS)
    assert in_vain <= 2 * len(REQUESTS), "what was under way when they fell ill"
    assert all(server.examined <= rests + 3 for server in ill), "at once, and when they have rested"


def test_a_look_at_who_says_nothing_ends(
    servers: list[Server], connect: Callable[..., OpenAIEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_engine, "_SECONDS_TO_COME_BACK", 1)
    engine = connect(servers[0].url)
    complete(engine, REQUESTS[0])
    servers[0].replies = [dropped]
    servers[0].silent = True

    def speak(line: str) -> None:
        servers[0].silent = not line.startswith("no endpoint answers: asking again")

    engine.say = speak
    begin = time.monotonic()
    assert complete(engine, REQUESTS[1])[0].text == text_of(REQUESTS[1])
    assert time.monotonic() - begin < 20, "and not when the time for an answer is over"


def test_where_nobody_comes_back_the_run_ends_and_says_why(
    servers: list[Server], connect: Callable[..., OpenAIEngine]
) -> None:
    engine = connect(servers[0].url, servers[1].url)
    said: list[str] = []
    engine.say = said.append
    complete(engine, REQUESTS[0])
    for server in servers:
        server.ill, server.examined = 503, 0
    expected = rf"no endpoint answers any more \({servers[0].url}, {servers[1].url}\): "
    with pytest.raises(UserError, match=expected):
        complete(engine, *REQUESTS[:20])
    assert all(server.examined >= 5 for server in servers[:2])
    assert sum(line.startswith("no endpoint answers: asking again in") for line in said) >= 4


def asked_in_vain() -> list[float]:
    """The pauses of an endpoint that fails whenever it is asked."""
    well = health.Health()
    pauses = []
    for _ in range(6):
        pauses.append(well.failed())
        assert well.failed() == 0, "what was under way counts once"
        well.left_alone_until = 0.0
    return pauses


def test_pauses_grow_until_it_answers() -> None:
    assert asked_in_vain() == [5, 10, 20, 40, 60, 60]
    one = health.Health()
    one.recovered()
    assert [one.stumbled() for _ in range(3)] == [0, 0, 5]
    assert (one.well, one.rests) == (False, 1)
    one.left_alone_until = 0.0
    one.recovered()
    assert (one.well, one.rests) == (True, 0)
    assert [one.stumbled() for _ in range(3)] == [0, 0, 10], "it has answered no request yet"
    one.succeeded()
    assert (one.well, one.rested) == (False, True), "a late answer: it may be looked after"
    one.recovered()
    assert [one.stumbled() for _ in range(3)] == [0, 0, 5]


def test_who_asks_to_be_left_alone_is_and_who_is_busy_has_not_rested_in_vain() -> None:
    one = health.Health()
    assert (one.failed(asked_for=30), one.rests) == (30, 1)
    assert 29 < one.seconds_to_rest <= 30
    one.left_alone_until = 0.0
    assert (one.failed(busy=True), one.rests) == (10, 1)
    one.recovered()
    assert [one.stumbled(asked_for=99) for _ in range(3)] == [0, 0, 0], "it is left alone already"


def test_who_falls_ill_again_as_it_is_taken_back_is_looked_after_again(
    servers: list[Server], connect: Callable[..., OpenAIEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older request may fail before the one that waits goes on: then no look has found why."""
    engine, looks = connect(servers[0].url), []
    complete(engine, REQUESTS[0])
    take_back = engine._take_back

    async def relapse(endpoint: Endpoint) -> Exception | None:
        looks.append(endpoint)
        found = await take_back(endpoint)
        if len(looks) < 3:
            endpoint.health.failed()
        return found

    monkeypatch.setattr(engine, "_take_back", relapse)
    servers[0].replies = [dropped]
    assert complete(engine, REQUESTS[1])[0].text == text_of(REQUESTS[1])
    assert len(looks) == 3


def test_a_pause_that_grows_meanwhile_is_waited_for(
    servers: list[Server], connect: Callable[..., OpenAIEngine]
) -> None:
    engine, said = connect(servers[0].url), []
    complete(engine, REQUESTS[0])
    servers[0].replies, servers[0].ill = [dropped], 503

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("no endpoint answers") and len(said) == 1:
            engine._endpoints[0].health.left_alone_until += PAUSE
        elif line.startswith("no endpoint answers"):
            servers[0].ill = None

    engine.say = say
    assert complete(engine, REQUESTS[1])[0].text == text_of(REQUESTS[1])
