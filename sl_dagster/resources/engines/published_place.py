"""Where adapters are published for endpoints that find them by name: a folder or object storage."""

import asyncio
import contextlib
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from sl_dagster.errors import UserError
from sl_dagster.experiment import AdaptersByName, ServedModel
from sl_dagster.models.empty_adapter import empty_adapter
from sl_dagster.resources.adapters import CONFIG_FILE, WEIGHTS_FILE, Adapter

_KEPT = 4  # adapters of an experiment that nobody uses any more
_MARK = "sl-dagster.json"  # says whose an adapter is and when it was used


class PublishedPlace:
    """A place that holds an experiment's adapters, each in a folder of its own.

    A folder's name holds a digest of the weights. The configuration, without which nobody takes a
    folder for an adapter, comes last and goes first: an adapter is seen whole or not at all. Those
    that were used last stay; one that is asked for again later is published again.

    Attributes:
        location: the folder, or the URL of the place.
        names: under which adapters of this run have been asked for.
    """

    def __init__(self, settings: AdaptersByName, served: ServedModel, model: str) -> None:
        """A place in which nothing is published yet.

        Args:
            settings: where it is.
            served: the model that the adapters belong to.
            model: the name by which endpoints serve it.
        """
        self.location = settings.publish_to
        self.names: set[str] = set()
        self._settings = settings
        self._served = served
        self._model = model
        self._users: Counter[str] = Counter()
        self._published: dict[str, asyncio.Future[None]] = {}
        self._making = asyncio.Lock()
        self._empty: tuple[dict[str, Any], bytes] | None = None

    @contextlib.asynccontextmanager
    async def holding(self, adapter: Adapter) -> AsyncIterator[str]:
        """The name by which an adapter is served; it stays published for as long as it is needed.

        Raises:
            UserError: it cannot be published, or its files are damaged.
        """
        folder = f"{adapter.role}-{adapter.fingerprint}"
        self._users[folder] += 1
        published = self._published.get(folder)
        if published is None:
            published = asyncio.ensure_future(asyncio.to_thread(self._publish, folder, adapter))
            self._published[folder] = published
        try:
            await asyncio.shield(published)
            name = self._settings.served_name(folder, self._model)
            self.names.add(name)
            yield name
        except Exception:
            # Whoever asks next looks first whether it is still there, and whole.
            if published.done() and self._published.get(folder) is published:
                del self._published[folder]
            raise
        finally:
            self._users[folder] -= 1

    @contextlib.asynccontextmanager
    async def trial(self) -> AsyncIterator[str]:
        """The name of an adapter that changes nothing, for as long as it is needed.

        Raises:
            UserError: it cannot be published, or the base model's configuration cannot be read.
        """
        served = self._served
        assert served.lora_rank
        # Once for all endpoints; and transformers, which knows the layers, is for one thread only.
        async with self._making:
            self._empty = self._empty or await asyncio.to_thread(
                empty_adapter, served.model, served.revision, served.lora_rank
            )
        folder = f"trial-{uuid.uuid4().hex}"
        await asyncio.to_thread(self._publish_trial, folder, *self._empty)
        try:
            yield self._settings.served_name(folder, self._model)
        finally:
            await asyncio.to_thread(self._remove, folder)

    def _publish(self, folder: str, adapter: Adapter) -> None:
        """Put an adapter there if it is not, note that it is used, and remove what is not."""
        path = adapter.verified().path
        assert path
        weights = Path(path) / WEIGHTS_FILE
        config = json.loads((Path(path) / CONFIG_FILE).read_text(encoding="utf-8"))
        # Endpoints compare it with the model that they were started with.
        config["base_model_name_or_path"] = self._served.model
        with self._explained():
            self._put_mark(folder)
            if self._size(folder, WEIGHTS_FILE) != weights.stat().st_size:
                self._put(folder, WEIGHTS_FILE, weights)
            if self._content(folder, CONFIG_FILE) != _as_json(config):
                self._put(folder, CONFIG_FILE, _as_json(config))
            self._tidy_up()

    def _publish_trial(self, folder: str, config: dict[str, Any], weights: bytes) -> None:
        with self._explained():
            self._put_mark(folder)
            self._put(folder, WEIGHTS_FILE, weights)
            self._put(folder, CONFIG_FILE, _as_json(config))

    def _tidy_up(self) -> None:
        """Remove what this experiment has published and nobody has used for longest."""
        idle = []
        for path in self._files.ls(self._root, detail=False):
            folder = str(path).rpartition("/")[2]
            used = self._last_used(folder)
            if used and not self._users[folder]:
                idle.append((used, folder))
        for _, folder in sorted(idle, reverse=True)[_KEPT:]:
            self._remove(folder)

    def _put_mark(self, folder: str) -> None:
        mark = {"experiment": self._served.name, "used": time.time()}
        self._put(folder, _MARK, _as_json(mark))

    def _last_used(self, folder: str) -> float | None:
        """When one of this experiment's runs used it last; None of all that is not its own."""
        try:
            mark = json.loads(self._content(folder, _MARK) or b"{}")
            return float(mark["used"]) if mark["experiment"] == self._served.name else None
        except (ValueError, TypeError, LookupError):
            return None

    def _remove(self, folder: str) -> None:
        with self._explained(), contextlib.suppress(FileNotFoundError):
            path = f"{self._root}/{folder}"
            with contextlib.suppress(FileNotFoundError):
                self._files.rm_file(f"{path}/{CONFIG_FILE}")
            self._files.rm(path, recursive=True)

    def _put(self, folder: str, name: str, content: bytes | Path) -> None:
        """Make a file appear, whole or not at all. Object storage does that by itself."""
        target = f"{self._root}/{folder}/{name}"
        on_disk = isinstance(self._files, LocalFileSystem)
        part = f"{self._root}/{folder}/.{name}-{uuid.uuid4().hex}" if on_disk else target
        if on_disk:
            self._files.makedirs(f"{self._root}/{folder}", exist_ok=True)
        if isinstance(content, bytes):
            self._files.pipe_file(part, content)
        else:
            self._files.put_file(str(content), part)
        if part != target:
            self._files.mv(part, target)

    def _size(self, folder: str, name: str) -> int | None:
        try:
            return self._files.size(f"{self._root}/{folder}/{name}")
        except FileNotFoundError:
            return None

    def _content(self, folder: str, name: str) -> bytes | None:
        try:
            return self._files.cat_file(f"{self._root}/{folder}/{name}")
        except (FileNotFoundError, NotADirectoryError):
            return None

    @property
    def _files(self) -> Any:
        return self._storage[0]

    @property
    def _root(self) -> str:
        return self._storage[1].rstrip("/")

    @cached_property
    def _storage(self) -> tuple[Any, str]:
        """The storage, and the place's path in it."""
        try:
            files, root = fsspec.url_to_fs(self.location, use_listings_cache=False)
        except ImportError as error:
            raise UserError(f"engine.adapters.publish_to: {self.location}: {error}") from error
        if isinstance(files, LocalFileSystem) and not Path(root).is_dir():
            raise UserError(
                f"engine.adapters.publish_to: there is no folder {root}: make it, on a disk that "
                "the endpoints see, or correct the setting"
            )
        return files, root

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Say of any error of the storage which setting it comes from."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:  # each library of a storage has errors of its own
            raise UserError(
                f"engine.adapters.publish_to: nothing can be published to {self.location}: "
                f"{type(error).__name__}: {error}"
            ) from error


def _as_json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2).encode()
