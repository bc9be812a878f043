"""A stand-in of the Hugging Face hub: the part of its HTTP interface that uploads use.

It keeps what it is sent in memory, small files in the commit itself and large ones by way of LFS,
and can be told to fail while it quotes what it was asked, as a badly configured proxy would.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_REGULAR_LIMIT = 10_000  # bytes; the hub has 10 MB
_BINARY = (".parquet", ".safetensors", ".png")


@dataclass
class Repository:
    """One repository: its files by name, and who may see it."""

    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    commits: int = 0


class Hub(ThreadingHTTPServer):
    """The stand-in.

    Attributes:
        token: the only one that it accepts.
        repositories: by kind and name, such as ``dataset:owner/name``.
        failing: end of a path; requests to it fail with status 400 and quote their headers.
        seen: method and path of every request.
    """

    def __init__(self, token: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.token = token
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}
        self.failing: str | None = None
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def running_hub(token: str) -> Iterator[Hub]:
    """A stand-in that listens until the block ends."""
    hub = Hub(token)
    threading.Thread(target=hub.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()


class _Answer(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        body = self._body()
        self.server.large[hashlib.sha256(body).hexdigest()] = body
        self._reply(200, {})

    def _answer(self) -> None:
        path, body = self.path.partition("?")[0], self._body()
        self.server.seen.append(f"{self.command} {path}")
        said = self.headers.get("Authorization")
        if self.server.failing and path.endswith(self.server.failing):
            return self._reply(400, {"error": f"cannot handle Authorization: {said}"})
        if said != f"Bearer {self.server.token}":
            return self._reply(401, {"error": "Invalid credentials"})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path == "/api/validate-yaml":
            return self._reply(200, {"errors": [], "warnings": []})
        if found := re.fullmatch(r"/(datasets/)?(.+?)\.git/info/lfs/objects/batch", path):
            return self._batch(json.loads(body))
        found = re.fullmatch(r"/api/(model|dataset)s/([^/]+/[^/]+)(?:/(\w+)/.+)?", path)
        repository = found and self.server.repositories.get(f"{found[1]}:{found[2]}")
        if not found or not repository:
            return self._reply(404, {"error": "Repository not found"})
        if found[3] == "preupload":
            return self._preupload(json.loads(body))
        if found[3] == "tree":
            files = repository.files.items()
            entries = [{"type": "file", "path": n, "size": len(c), "oid": "0"} for n, c in files]
            return self._reply(200, entries)
        if found[3] == "commit":
            prefix = "datasets/" if found[1] == "dataset" else ""
            return self._commit(repository, body, f"{self.server.url}/{prefix}{found[2]}")
        about = {"id": found[2], "private": repository.private, "sha": "0" * 40}
        return self._reply(200, about | {"tags": [], "siblings": [], "downloads": 0, "likes": 0})

    def _create(self, asked: dict[str, Any]) -> None:
        kind = asked.get("type") or "model"
        name = f"{asked['organization']}/{asked['name']}"
        prefix = "datasets/" if kind == "dataset" else ""
        known = f"{kind}:{name}" in self.server.repositories
        if not known:
            private = asked.get("visibility") == "private"
            self.server.repositories[f"{kind}:{name}"] = Repository(private)
        self._reply(409 if known else 200, {"url": f"{self.server.url}/{prefix}{name}"})

    def _preupload(self, asked: dict[str, Any]) -> None:
        files = []
        for file in asked["files"]:
            large = file["size"] > _REGULAR_LIMIT or file["path"].endswith(_BINARY)
            mode = "lfs" if large else "regular"
            files.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False})
        self._reply(200, {"files": files})

    def _batch(self, asked: dict[str, Any]) -> None:
        objects = []
        for one in asked["objects"]:
            href = f"{self.server.url}/lfs/{one['oid']}"
            objects.append(one | {"actions": {"upload": {"href": href, "header": {}}}})
        self._reply(200, {"transfer": "basic", "objects": objects})

    def _commit(self, repository: Repository, body: bytes, address: str) -> None:
        for line in body.splitlines():
            operation = json.loads(line)
            value = operation["value"]
            match operation["key"]:
                case "file":
                    repository.files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    repository.files[value["path"]] = self.server.large[value["oid"]]
                case "deletedFile":
                    del repository.files[value["path"]]
        repository.commits += 1
        oid = f"{repository.commits:040x}"
        content = {"success": True, "commitOid": oid, "commitUrl": f"{address}/commit/{oid}"}
        self._reply(200, content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _reply(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status >= 400:
            self.send_header("X-Error-Message", str(content.get("error", "")))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
