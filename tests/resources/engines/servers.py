"""Endpoints that answer as vLLM does, or as endpoints do on bad days.

``python -m tests.resources.engines.servers PORT MODEL [ANSWERS]`` is one in a process of its own,
to be killed; with a number of answers, it keeps whoever asks after these waiting.
"""

import hashlib
import json
import math
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

# What is done about a request: a text is an answer, a number an error, bytes are sent as they are.
Reply = str | int | bytes | Callable[["Handler", dict[str, Any]], None]

MODEL = "plain"


def expected_text(body: dict[str, Any]) -> str:
    """What the model of every endpoint answers, whichever is asked."""
    asked = [body["model"], body["messages"], body["seed"]]
    return "text " + hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]


class Server(ThreadingHTTPServer):
    """One endpoint.

    Attributes:
        replies: to the next requests, first to last; afterwards the model answers.
        asked: bodies of the requests, without those that only examine it.
        examined: how often it was.
        ill: the status of all its answers, if it is.
        silent: it lets those wait for ever who examine it.
        models: what it does about who asks for its models, if that is not the usual.
        hello: what it does about requests that examine it, if that is not the usual.
        adapters: that are loaded.
        model: what it serves.
        slowness: seconds that the model takes.
        root: what it says that it was started with, if it does.
        place: where it looks for adapters by name, if it does.
        answers: how many requests it answers; the others wait for ever.
    """

    daemon_threads = True
    request_queue_size = 1024  # with the usual 5, many connections at once are dropped under load

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.replies: list[Reply] = []
        self.asked: list[dict[str, Any]] = []
        self.examined = 0
        self.ill: int | None = None
        self.silent = False
        self.models: Callable[[Handler, dict[str, Any]], None] | None = None
        self.hello: Callable[[Handler, dict[str, Any]], None] | None = None
        self.adapters: set[str] = set()
        self.model = MODEL
        self.slowness = 0.0
        self.answers = math.inf
        self.root: str | None = None
        self.place: Path | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def start(self) -> "Server":
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.server.examined += 1
        if self.server.silent:
            threading.Event().wait()
        if self.server.ill:
            return self.error(self.server.ill, "not today")
        if self.server.models:
            return self.server.models(self, {})
        models = [{"id": self.server.model, "object": "model", "owned_by": "vllm"}]
        models[0] |= {"root": self.server.root} if self.server.root else {}
        return self.send(200, {"object": "list", "data": models})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("load_lora_adapter"):
            return self.change_adapters(body)
        hello = body["messages"][0]["content"] == "Hello."
        if hello and self.server.hello:
            return self.server.hello(self, body)
        if hello and not self.server.ill:  # what is more than that is impossible
            plain = body.keys() <= {"messages", "model", "max_tokens"}
            return self.answered(body, "") if plain else self.error(400, "impossible")
        if not hello:
            self.server.asked.append(body)
        if self.server.ill:
            return self.error(self.server.ill, "not today")
        if len(self.server.asked) > self.server.answers:
            threading.Event().wait()
        reply = self.server.replies.pop(0) if self.server.replies else None
        if isinstance(reply, int):
            return self.error(reply, "not today")
        if isinstance(reply, bytes):
            return self.send_bytes(200, reply)
        if callable(reply):
            return reply(self, body)
        time.sleep(self.server.slowness)
        return self.answered(body, expected_text(body) if reply is None else reply)

    def answered(self, body: dict[str, Any], text: str) -> None:
        if not self.knows(body["model"]):
            return self.error(404, f"The model `{body['model']}` does not exist.")
        return self.send(200, self.answer(body, text))

    def knows(self, name: str) -> bool:
        """Whether it has a model or an adapter of this name, or finds it."""
        place, config = self.server.place, "adapter_config.json"
        found = place and (place / name.rpartition(":")[2] / config).is_file()
        return bool(found) or name in {self.server.model, *self.server.adapters}

    def change_adapters(self, body: dict[str, Any]) -> None:
        name = body.get("lora_name")
        loaded = self.server.adapters
        if not name:
            return self.error(400, "missing lora_name")
        if "unload" in self.path:
            loaded.discard(name)
        elif name in loaded:
            return self.error(400, f"The lora adapter '{name}' has already been loaded.")
        else:
            loaded.add(name)
        return self.send(200, {})

    def answer(self, body: dict[str, Any], text: str) -> dict[str, Any]:
        message = {"role": "assistant", "content": text}
        return {
            "id": f"chatcmpl-{self.headers['X-Request-Id']}",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        }

    def error(self, status: int, message: str) -> None:
        self.send(status, {"error": {"message": message}})

    def send(self, status: int, content: dict[str, Any], **headers: str) -> None:
        self.send_bytes(status, json.dumps(content).encode(), **headers)

    def send_bytes(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def dropped(handler: Handler, body: dict[str, Any]) -> None:
    """A reply that never comes: the connection is closed."""
    handler.close_connection = True


if __name__ == "__main__":
    alone = Server(int(sys.argv[1]))
    alone.model = sys.argv[2]
    alone.answers = int(sys.argv[3]) if sys.argv[3:] else math.inf
    alone.slowness = 0.01
    print("ready", flush=True)
    alone.serve_forever()
