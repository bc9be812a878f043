"""A vLLM server of our own: started on this machine, watched, and ended with all it has started."""

import collections
import contextlib
import http.client
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable

from sl_dagster.errors import UserError
from sl_dagster.experiment import ServedModel, VllmSettings
from sl_dagster.experiment.chat_template import without_clock
from sl_dagster.models.base_model import load_tokenizer
from sl_dagster.models.memory import SAYS_SHORT_OF_MEMORY
from sl_dagster.paths import data_dir
from sl_dagster.resources.engines.vllm_options import is_installed, server_arguments
from sl_dagster.resources.environment import environment_without_secrets
from sl_dagster.resources.local import open_local

_LAST_WORDS = 30
_SECONDS_TO_END = 30
LESS_MEMORY_TO_SERVE = (
    "lower max_model_len, gpu_memory_utilization or max_num_seqs in engine.options, or take a "
    "smaller model"
)
_PORT_TAKEN = re.compile(r"address already in use", re.IGNORECASE)

# What the last words of a server that did not start mean, the first match counts.
_CAUSES = (
    (SAYS_SHORT_OF_MEMORY, f"there is too little memory: {LESS_MEMORY_TO_SERVE}"),
    (
        re.compile(r"unrecognized arguments: (?P<detail>.*)|error: argument (?P<detail2>.*)"),
        "vLLM does not accept an option in engine.options",
    ),
    (
        re.compile(
            r"architectures? .* (are|is) not supported|does not recognize this architecture"
        ),
        "vLLM does not support the architecture of base_model",
    ),
    (
        re.compile(r"is not a valid model identifier|Repo(sitory)? ?Not ?Found|No such file", re.I),
        "base_model cannot be loaded",
    ),
)


class VllmServer:
    """One server process and what belongs to it.

    Attributes:
        api_key: what its clients must show.
        url: its base URL, once it has been started.
        log_file: receives all that it says.
    """

    def __init__(
        self, served: ServedModel, settings: VllmSettings, say: Callable[[str], None]
    ) -> None:
        self.api_key = secrets.token_urlsafe(24)
        self.url = ""
        self._served = served
        self._settings = settings
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: collections.deque[str] = collections.deque(maxlen=_LAST_WORDS)
        self._reader: threading.Thread | None = None
        self._ready = False
        self._stopping = threading.Event()
        self.log_file = data_dir() / served.name / "vllm.log"

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def last_words(self) -> str:
        """The last lines of the server's log."""
        return "\n".join(self._lines)

    def start(self) -> None:
        """Start the server and wait until it answers, passing its log on meanwhile.

        Raises:
            UserError: it is not installed, or ended or did not get ready in time; the message says
                why as far as its log tells.
        """
        if not is_installed():
            raise UserError("engine.type: vllm: vLLM is not installed here: run `make vllm`")
        for _ in range(3):
            self._launch(free_port())
            if self._gets_ready():
                self._ready = True
                self._say(f"vLLM is ready at {self.url}")
                return
            self.stop()
            if not _PORT_TAKEN.search(self.last_words):
                break
        raise UserError(explanation(self.last_words))

    def stop(self) -> None:
        """End the server and everything it has started."""
        self._stopping.set()
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin
        with contextlib.suppress(OSError):
            process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=_SECONDS_TO_END)
        with contextlib.suppress(ProcessLookupError):  # a guard that was killed leaves the others
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if self._reader:
            self._reader.join(timeout=5)

    def sleep(self) -> None:
        """Give the GPU's memory back, keeping the weights in the computer's memory."""
        self._post("/sleep?level=1")

    def wake_up(self) -> None:
        """Take the GPU's memory again."""
        self._post("/wake_up")

    def _launch(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self._lines.clear()
        self._ready = False
        self._stopping.clear()
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        self._say(f"starting vLLM; its log is {self.log_file}")
        environment = environment_without_secrets() | {
            "VLLM_API_KEY": self.api_key,  # not on the command line, which every user can read
            "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
            "VLLM_NO_USAGE_STATS": "1",
            # Longer than our client keeps a connection that nobody needs: at vLLM's five seconds,
            # which are also the client's, one may be closed as it is used.
            "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "60",
            **({"VLLM_SERVER_DEV_MODE": "1"} if self._settings.while_training == "sleep" else {}),
            "VLLM_MAX_STOP_STRINGS": str(max(4, self._served.stop_strings)),
            **self._settings.environment,
        }
        guard = [sys.executable, "-m", "sl_dagster.resources.guard", "--temporary"]
        server = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
        arguments = server_arguments(self._served, self._settings, port)
        self._process = subprocess.Popen(
            [*guard, *server, *arguments, *self._chat_template()],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read_log, args=(self._process,), daemon=True)
        self._reader.start()

    def _chat_template(self) -> list[str]:
        """The option that gives the server a template without today's date, if the model's has it.

        The ``transformers`` engine and the training leave it out in the same way.
        """
        if "chat_template" in self._settings.options:
            return []
        with contextlib.suppress(UserError):  # of what it cannot load vLLM complains itself
            tokenizer = load_tokenizer(self._served.model, self._served.revision)
            template = without_clock(tokenizer.get_chat_template())
            if template is not None:
                file = self.log_file.with_name("chat_template.jinja")
                file.write_text(template, encoding="utf-8")
                return ["--chat-template", str(file)]
        return []

    def _gets_ready(self) -> bool:
        """Wait until the server answers; False if it ends before."""
        give_up = time.monotonic() + self._settings.start_timeout
        while self.alive and not self._stopping.is_set():
            try:
                open_local(self.url.removesuffix("/v1") + "/health", timeout=5).close()
                return True
            except (OSError, http.client.HTTPException):
                time.sleep(0.5)
            if time.monotonic() > give_up:
                self._lines.append(
                    f"not ready after {self._settings.start_timeout:.0f} s (engine.start_timeout)"
                )
                return False
        return False

    def _read_log(self, process: subprocess.Popen[bytes]) -> None:
        """Write the log, keep its last words, and pass some of it on while the server starts."""
        assert process.stdout
        told = time.monotonic()
        with self.log_file.open("ab") as log:
            for raw in process.stdout:
                log.write(raw)
                log.flush()
                line = raw.decode(errors="replace").strip()
                if not line:
                    continue
                self._lines.append(line)
                if not self._ready and time.monotonic() - told > 3:
                    told = time.monotonic()
                    self._say(f"vLLM: {_without_prefix(line)}")

    def _post(self, path: str) -> None:
        request = urllib.request.Request(
            self.url.removesuffix("/v1") + path,
            method="POST",
            headers={"Authorization": f"Bearer {self.api_key}"},
        )
        try:
            open_local(request, timeout=300).close()
        except (OSError, http.client.HTTPException) as error:
            raise UserError(
                f"engine.while_training: vLLM's sleep mode failed ({error}); use `stop` instead"
            ) from error


def explanation(last_words: str) -> str:
    """What a server's last words mean, with the words themselves below."""
    cause = "it ended before it was ready"
    for pattern, meaning in _CAUSES:
        found = pattern.search(last_words)
        if found:
            details = [text for text in found.groupdict().values() if text]
            cause = ": ".join([meaning, *details])
            break
    return f"vLLM did not start: {cause}. Its last words:\n{last_words}"


def free_port() -> int:
    """A port on which nobody listens at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _without_prefix(line: str) -> str:
    """A line of the log without process, level and place."""
    return re.sub(r"^(\(.*?\)\s*)?(\w+ [\d-]+ [\d:]+ \[.*?\]\s*)?", "", line)
