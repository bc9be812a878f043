"""What a training reports on its way reaches the run's log as figures, and its outcome the run."""

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import dagster as dg

from sl_dagster.progress import Progress, progress_in
from sl_dagster.resources.training_messages import TrainingMessages

TRAINING = """
from dagster_pipes import open_dagster_pipes
with open_dagster_pipes() as pipes:
    step = {"done": 3, "total": 40, "details": "loss 1.500, 1:01 left", "unit": "step"}
    pipes.report_custom_message({"progress": step})
    pipes.report_custom_message({"outcome": "good"})
"""


class Handler:
    """Keeps what is handed over."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def handle_message(self, message: Any) -> None:
        self.messages.append(message)

    def report_pipes_framework_exception(self, origin: str, exc_info: Any) -> None:
        raise AssertionError(origin) from exc_info[1]


def test_progress_is_logged_as_it_comes_and_the_rest_is_handed_over() -> None:
    records: list[logging.LogRecord] = []
    log = logging.Logger("run")
    log.addFilter(lambda record: records.append(record) or True)
    got = []

    @dg.asset
    def trained(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        client = dg.PipesSubprocessClient(message_reader=TrainingMessages(log))
        command = [sys.executable, "-c", TRAINING]
        run = client.run(context=context.op_execution_context, command=command)
        got.extend(run.get_custom_messages())
        return dg.MaterializeResult()

    assert dg.materialize([trained]).success
    assert got == [{"outcome": "good"}]
    progress = Progress(3, 40, "loss 1.500, 1:01 left", "step")
    assert [progress_in(record) for record in records] == [progress]
    assert records[0].getMessage() == str(progress) == "step 3/40, loss 1.500, 1:01 left"


def test_a_message_is_read_when_all_of_it_is_written() -> None:
    """Long lines come in several writes, and a write may be seen in pieces."""
    messages = [
        {"method": "report_custom_message", "params": {"payload": {"outcome": text}}}
        for text in ("ein schöner Wald", "x" * 20_000, "short")
    ]
    written = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in messages).encode()
    middle = written.index("ö".encode()) + 1
    pieces = [written[:middle], written[middle:9000], written[9000:], b'{"method": "rep']
    handler: Any = Handler()
    with TrainingMessages(logging.Logger("run")).read_messages(handler) as params:
        for piece in pieces:
            with Path(params["path"]).open("ab") as file:
                file.write(piece)
            time.sleep(0.2)
    assert handler.messages == messages
    assert not Path(params["path"]).exists()
