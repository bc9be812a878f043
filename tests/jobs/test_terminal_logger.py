"""What a person at the terminal sees of a run."""

import io
import logging

from rich.console import Console

from sl_dagster.jobs.terminal_logger import TerminalHandler


def shown(lines: list[str], terminal: bool) -> str:
    output = io.StringIO()
    handler = TerminalHandler(Console(file=output, force_terminal=terminal, width=120))
    for line in lines:
        record = logging.makeLogRecord({"msg": line, "levelno": logging.INFO})
        record.dagster_meta = {"step_key": "demo__round1_stage1", "orig_message": line}
        handler.emit(record)
    handler.close()
    return output.getvalue()


LINES = ["3/8 done, 2/3 accepted, 70 tokens/s, 0:09 left", "step 2/4, loss 1.250, 0:03 left"]


def test_a_file_gets_plain_lines() -> None:
    hello = "[pipes] external process successfully opened dagster pipes."
    output = shown(["engine ready", hello, *LINES], terminal=False)
    assert [line.split(maxsplit=1) for line in output.splitlines()] == [
        ["round1_stage1", line] for line in ["engine ready", *LINES]
    ]


def test_a_terminal_gets_a_bar_and_its_cursor_back() -> None:
    output = shown(["engine ready", *LINES], terminal=True)
    assert "engine ready" in output
    assert "2/4, loss 1.250, 0:03 left" in output
    assert "━" in output
    assert output.index("\x1b[?25l") < output.rindex("\x1b[?25h"), "hidden, then shown again"
