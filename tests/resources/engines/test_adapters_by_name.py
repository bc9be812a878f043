"""Endpoints that find adapters by name: what is asked, examined and published again."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tenacity

from sl_dagster.errors import UserError
from sl_dagster.experiment import Sampling
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines import Engine, Request
from tests.conftest import DEMO_MODEL
from tests.resources.engines.conftest import complete, on_endpoints, request
from tests.resources.engines.servers import MODEL, Server, expected_text

PLAIN = Sampling(temperature=1.0, top_k=0, repetition_penalty=1.0, max_tokens=9, stop=())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "published"
    folder.mkdir()
    return folder


@pytest.fixture
def servers(place: Path) -> Iterator[list[Server]]:
    """Two endpoints that look for adapters in the place."""
    several = [Server().start() for _ in range(2)]
    for server in several:
        server.place, server.root = place, str(DEMO_MODEL)
    yield several
    for server in several:
        server.shutdown()
        server.server_close()


@pytest.fixture
def connect(
    servers: list[Server], place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Engine]:
    """Opens an engine on the two endpoints that publishes to the place."""
    monkeypatch.setattr(tenacity, "wait_random_exponential", lambda **_: tenacity.wait_fixed(0.05))

    def opened(**adapters: str) -> Engine:
        engine = {"model": MODEL, "adapters": {"publish_to": str(place)} | adapters}
        return on_endpoints(tmp_path, [server.url for server in servers], engine)

    return opened


@pytest.fixture
def requests(make_adapter: Callable[[int], Adapter]) -> list[Request]:
    adapter = make_adapter(1)
    return [request(f"number {n}", PLAIN, seed=n, adapter=adapter) for n in range(20)]


def texts(requests: list[Request], name: str = "{adapter}") -> list[str]:
    """What the endpoints answer to a model of this name."""
    served = [name.replace("{adapter}", f"generator-{one.adapter.fingerprint}") for one in requests]
    return [
        expected_text({"model": model, "messages": [one.message], "seed": one.seed})
        for one, model in zip(requests, served, strict=True)
    ]


def asked(servers: list[Server]) -> int:
    return sum(len(server.asked) for server in servers)


@pytest.mark.parametrize("name", ["{adapter}", "plain:{adapter}"])
def test_an_adapter_is_published_and_asked_for_by_name(
    servers: list[Server],
    connect: Callable[..., Engine],
    requests: list[Request],
    place: Path,
    name: str,
) -> None:
    engine = connect(name=name.replace(MODEL, "{model}"))
    answers = complete(engine, *requests)
    assert [answer.text for answer in answers] == texts(requests, name)
    assert all(server.asked for server in servers)
    assert not any(server.adapters for server in servers), "none was told to load one"
    published = [folder.name for folder in place.iterdir()]
    assert published == [f"generator-{requests[0].adapter.fingerprint}"], "the trial's is gone"


def test_an_endpoint_with_another_model_string_is_told_with_both(
    servers: list[Server], connect: Callable[..., Engine], requests: list[Request]
) -> None:
    servers[1].root = "/models/other"
    expected = f"{servers[1].url} was started with the model /models/other, and finds no adapters"
    with pytest.raises(UserError, match=expected) as error:
        complete(connect(), requests[0])
    assert f"start it with `--model {DEMO_MODEL}`, or set base_model to" in str(error.value)
    assert asked(servers) == 0


def test_an_endpoint_that_looks_elsewhere_is_told_before_the_first_record(
    servers: list[Server], connect: Callable[..., Engine], requests: list[Request], tmp_path: Path
) -> None:
    servers[1].place = tmp_path / "another"
    expected = f"{servers[1].url} cannot use an adapter of {DEMO_MODEL} that is published to"
    with pytest.raises(UserError, match=expected) as error:
        complete(connect(), requests[0])
    assert "VLLM_LORA_RESOLVER_CACHE_DIR" in str(error.value)
    assert asked(servers) == 0


def test_a_place_that_is_missing_is_told_before_the_first_record(
    servers: list[Server], connect: Callable[..., Engine], requests: list[Request], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=f"publish_to: there is no folder {tmp_path}/nowhere"):
        complete(connect(publish_to="nowhere"), requests[0])
    assert asked(servers) == 0


def test_what_somebody_has_removed_is_published_again(
    connect: Callable[..., Engine], requests: list[Request], place: Path
) -> None:
    engine = connect()
    complete(engine, requests[0])
    for folder in place.iterdir():
        shutil.rmtree(folder)
    said: list[str] = []
    engine.say = said.append
    assert [answer.text for answer in complete(engine, *requests)] == texts(requests)
    assert any("does not find generator-" in line for line in said)
