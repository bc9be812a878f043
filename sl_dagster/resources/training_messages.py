"""What a training reports while it runs, read as it comes."""

import json
import logging
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_pipes import PipesDefaultMessageWriter, PipesParams

from sl_dagster.progress import Progress, log_progress
from sl_dagster.training.job import MESSAGES_FILE, PROGRESS

_SECONDS_BETWEEN_LOOKS = 0.02


class TrainingMessages(dg.PipesMessageReader):
    """Reads the messages of a training; how far it is goes to the run's log at once.

    Dagster itself hands a program's own messages over when it has ended. And its readers of files
    take what has been written of a line for the whole of it: then they end, and a training's
    outcome, which is a long line, is lost.
    """

    def __init__(self, log: logging.Logger, path: Path | None = None) -> None:
        """Read from a file at this path, or from a temporary one."""
        self._log = log
        self._path = path

    @contextmanager
    def read_messages(self, handler: dg.PipesMessageHandler) -> Iterator[PipesParams]:
        with ExitStack() as stack:
            path = self._path or _temporary_file(stack)
            path.write_bytes(b"")
            over = threading.Event()
            reading = threading.Thread(target=self._read, args=(path, handler, over), daemon=True)
            reading.start()
            try:
                yield {PipesDefaultMessageWriter.FILE_PATH_KEY: str(path)}
            finally:
                over.set()
                reading.join()
                path.unlink(missing_ok=True)

    def no_messages_debug_text(self) -> str:
        return f"Attempted to read messages from {self._path or 'a temporary file'}."

    def _read(self, path: Path, handler: dg.PipesMessageHandler, over: threading.Event) -> None:
        try:
            for line in whole_lines(path, over.is_set):
                self._take(json.loads(line), handler)
        except Exception:
            handler.report_pipes_framework_exception("reader of a training", sys.exc_info())
            raise

    def _take(self, message: Any, handler: dg.PipesMessageHandler) -> None:
        """Keep progress for ourselves; all else is the handler's."""
        own = message["method"] == "report_custom_message" and message["params"]["payload"]
        if own and PROGRESS in own:
            log_progress(self._log, Progress(**own[PROGRESS]))
        else:
            handler.handle_message(message)


def whole_lines(path: Path, over: Callable[[], bool]) -> Iterator[bytes]:
    """The lines of a file that another process is writing, each when it is complete.

    Args:
        path: the file.
        over: whether nothing more is written; what is there by then is still read.
    """
    line = b""
    with path.open("rb") as file:
        while True:
            last_look = over()
            line += file.readline()
            if line.endswith(b"\n"):
                yield line
                line = b""
            elif last_look:
                return
            else:
                time.sleep(_SECONDS_BETWEEN_LOOKS)


def _temporary_file(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory())) / MESSAGES_FILE
