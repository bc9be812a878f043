"""Adapters by name: what is published, what is seen of it meanwhile, and what is removed."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from moto.server import ThreadedMotoServer
from safetensors.torch import load

from sl_dagster.errors import UserError
from sl_dagster.experiment import AdaptersByName, Experiment
from sl_dagster.resources.adapters import CONFIG_FILE, WEIGHTS_FILE, Adapter, adapter_fingerprint
from sl_dagster.resources.engines.published_place import PublishedPlace
from tests.conftest import DEMO_MODEL


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    """An object storage that speaks S3, with one bucket."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "none")
        fsspec.filesystem("s3").mkdir("bucket")
        yield "s3://bucket"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place that is empty."""
    if request.param == "folder":
        (tmp_path / "place").mkdir()
        return str(tmp_path / "place")
    return f"{request.getfixturevalue('storage')}/{tmp_path.name}"


@pytest.fixture
def adapters(tmp_path: Path) -> list[Adapter]:
    """Small files in the form of adapters."""
    made = []
    for number in range(8):
        folder = tmp_path / f"adapter{number}"
        folder.mkdir()
        (folder / WEIGHTS_FILE).write_bytes(bytes([number]) * 1000)
        config = {"base_model_name_or_path": "elsewhere", "peft_type": "LORA"}
        config |= {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]}
        (folder / CONFIG_FILE).write_text(json.dumps(config))
        made.append(Adapter("generator", adapter_fingerprint(folder), str(folder), 1))
    return made


def place(location: str, experiment: Experiment, name: str = "{adapter}") -> PublishedPlace:
    settings = AdaptersByName(publish_to=location, name=name)
    return PublishedPlace(settings, experiment.served, "served")


def held(where: PublishedPlace, *adapters: Adapter) -> list[str]:
    """The names of adapters that are asked for one after another."""

    async def one(adapter: Adapter) -> str:
        async with where.holding(adapter) as name:
            return name

    return [asyncio.run(one(adapter)) for adapter in adapters]


def content(location: str) -> dict[str, dict[str, bytes]]:
    """What is there, as an endpoint would see it: files by folder."""
    files, root = fsspec.url_to_fs(location, use_listings_cache=False)
    found: dict[str, dict[str, bytes]] = {}
    for path in files.find(root):
        folder, _, name = str(path).removeprefix(f"{root}/").partition("/")
        found.setdefault(folder, {})[name] = files.cat_file(path)
    return found


def seen(location: str) -> dict[str, bytes]:
    """The weights of what an endpoint takes for an adapter."""
    return {
        folder: files.get(WEIGHTS_FILE, b"")
        for folder, files in content(location).items()
        if CONFIG_FILE in files
    }


def test_an_adapter_is_published_under_its_content_for_the_model_that_is_served(
    location: str, experiment: Experiment, adapters: list[Adapter]
) -> None:
    folder = f"generator-{adapters[1].fingerprint}"
    assert held(place(location, experiment), adapters[1]) == [folder]
    assert seen(location) == {folder: b"\x01" * 1000}
    config = json.loads(content(location)[folder][CONFIG_FILE])
    assert config["base_model_name_or_path"] == str(DEMO_MODEL)
    assert (config["r"], config["lora_alpha"]) == (4, 8)
    other = place(location, experiment, "{model}:{adapter}")
    assert held(other, adapters[1]) == [f"served:{folder}"]
    assert len(content(location)) == 1


@pytest.mark.parametrize("step", range(3))
def test_nothing_is_seen_of_what_is_half_published(
    location: str, experiment: Experiment, adapters: list[Adapter], step: int, monkeypatch
) -> None:
    where = place(location, experiment)
    put, calls = PublishedPlace._put, []

    def until_a_file(self: PublishedPlace, folder: str, name: str, what: Any) -> None:
        if len(calls) == step:
            raise ConnectionError("the cable was pulled")
        calls.append(name)
        put(self, folder, name, what)

    with monkeypatch.context() as patch:
        patch.setattr(PublishedPlace, "_put", until_a_file)
        with pytest.raises(UserError, match=f"published to {location}: ConnectionError: the cable"):
            held(where, adapters[0])
    assert len(calls) == step
    assert seen(location) == {}
    held(where, adapters[0])
    assert [*seen(location).values()] == [bytes(1000)]


def test_a_file_appears_whole(
    tmp_path: Path, experiment: Experiment, adapters: list[Adapter], monkeypatch
) -> None:
    """In a folder; an object storage sees to it itself."""

    def half(self: object, source: str, target: str) -> None:
        Path(target).write_bytes(Path(source).read_bytes()[:500])
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("fsspec.implementations.local.LocalFileSystem.put_file", half)
        with pytest.raises(UserError, match="no space left on device"):
            held(place(str(tmp_path), experiment), adapters[0])
    assert not (tmp_path / f"generator-{adapters[0].fingerprint}" / WEIGHTS_FILE).exists()


@pytest.mark.parametrize("name", [WEIGHTS_FILE, CONFIG_FILE])
def test_what_is_damaged_is_published_again(
    location: str, experiment: Experiment, adapters: list[Adapter], name: str
) -> None:
    held(place(location, experiment), adapters[0])
    whole = seen(location)
    files, root = fsspec.url_to_fs(location, use_listings_cache=False)
    files.pipe_file(f"{root}/generator-{adapters[0].fingerprint}/{name}", b"half")
    held(place(location, experiment), adapters[0])
    assert seen(location) == whole


def test_what_is_removed_meanwhile_is_published_again_after_a_failure(
    location: str, experiment: Experiment, adapters: list[Adapter]
) -> None:
    where = place(location, experiment)
    files, root = fsspec.url_to_fs(location, use_listings_cache=False)

    async def fails() -> None:
        async with where.holding(adapters[0]) as name:
            files.rm(f"{root}/{name}", recursive=True)
            raise RuntimeError("the endpoint does not find it")

    with pytest.raises(RuntimeError):
        asyncio.run(fails())
    assert seen(location) == {}
    held(where, adapters[0])
    assert [*seen(location).values()] == [bytes(1000)]


def test_old_adapters_are_removed_but_none_that_is_used_or_somebody_elses(
    location: str, experiment: Experiment, adapters: list[Adapter]
) -> None:
    where = place(location, experiment)
    files, root = fsspec.url_to_fs(location, use_listings_cache=False)
    other = experiment.model_copy(update={"name": "another"})
    held(place(location, other), adapters[7])
    theirs = {f"{root}/theirs/{CONFIG_FILE}": b"{}", f"{root}/theirs/{WEIGHTS_FILE}": b"w"}
    for path, what in theirs.items():
        if location.startswith("/"):
            files.makedirs(f"{root}/theirs", exist_ok=True)
        files.pipe_file(path, what)

    async def use_the_first_all_the_time() -> None:
        async with where.holding(adapters[0]):
            for adapter in adapters[1:7]:
                async with where.holding(adapter):
                    pass

    asyncio.run(use_the_first_all_the_time())
    stay = [f"generator-{adapters[n].fingerprint}" for n in (0, 2, 3, 4, 5, 6, 7)]
    assert seen(location).keys() == {*stay, "theirs"}


def test_an_adapter_of_zeros_is_there_for_a_trial(location: str, experiment: Experiment) -> None:
    where = place(location, experiment, "x-{adapter}")

    async def tried() -> tuple[str, dict[str, bytes]]:
        async with where.trial() as name:
            return name, seen(location)

    name, there = asyncio.run(tried())
    ((folder, weights),) = there.items()
    assert name == f"x-{folder}"
    tensors = load(weights)
    assert sorted(tuple(tensor.shape) for tensor in tensors.values()) == [(16, 192), (192, 16)]
    assert not any(tensor.any() for tensor in tensors.values())
    assert content(location) == {}


def test_a_place_that_cannot_be_used_says_why(
    storage: str, tmp_path: Path, experiment: Experiment, adapters: list[Adapter], monkeypatch
) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(UserError, match=f"publish_to: there is no folder {missing}: make it"):
        held(place(str(missing), experiment), adapters[0])
    with pytest.raises(UserError, match=r"published to s3://no-bucket/x: .*bucket does not exist"):
        held(place("s3://no-bucket/x", experiment), adapters[0])
    (Path(adapters[1].path or "") / WEIGHTS_FILE).write_bytes(b"other")
    with pytest.raises(UserError, match="is damaged or was replaced"):
        held(place(str(tmp_path), experiment), adapters[1])
    monkeypatch.setitem(sys.modules, "adlfs", None)
    with pytest.raises(UserError, match=r"publish_to: abfs://x/y: .*adlfs"):
        held(place("abfs://x/y", experiment), adapters[0])
