"""What a training reports while it runs, read as it comes."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import dagster as dg
from dagster_pipes import PipesParams

from sl_dagster.progress import Progress, log_progress
from sl_dagster.training.job import PROGRESS


class TrainingMessages(dg.PipesMessageReader):
    """Reads the messages of a training; how far it is goes to the run's log at once.

    Dagster itself hands a program's own messages over when it has ended.
    """

    def __init__(self, log: logging.Logger, path: Path | None = None) -> None:
        """Read from a file at this path, or from a temporary one."""
        self._log = log
        self._reader = (
            dg.PipesFileMessageReader(str(path)) if path else dg.PipesTempFileMessageReader()
        )

    @contextmanager
    def read_messages(self, handler: dg.PipesMessageHandler) -> Iterator[PipesParams]:
        listening = cast(dg.PipesMessageHandler, _Listening(handler, self._log))
        with self._reader.read_messages(listening) as params:
            yield params

    def no_messages_debug_text(self) -> str:
        return self._reader.no_messages_debug_text()


class _Listening:
    """A handler of messages that keeps progress for itself; all else is another one's."""

    def __init__(self, handler: dg.PipesMessageHandler, log: logging.Logger) -> None:
        self._log = log
        self._handle = handler.handle_message
        self.report_pipes_framework_exception = handler.report_pipes_framework_exception

    def handle_message(self, message: Any) -> None:
        own = message["method"] == "report_custom_message" and message["params"]["payload"]
        if own and PROGRESS in own:
            log_progress(self._log, Progress(**own[PROGRESS]))
        else:
            self._handle(message)
