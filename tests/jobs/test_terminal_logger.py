"""What a person at the terminal sees of a run."""

import io
import logging

import dagster as dg
from rich.console import Console

from sl_dagster.jobs.terminal_logger import TerminalHandler
from sl_dagster.progress import Progress, log_progress


def shown(said: list[str | Progress], terminal: bool) -> str:
    """What a person sees when a stage says lines and how far it is."""
    output = io.StringIO()
    handler = TerminalHandler(Console(file=output, force_terminal=terminal, width=120))
    log = logging.Logger("stage", logging.INFO)
    log.addFilter(_told_by_a_stage)
    log.addHandler(handler)
    for one in said:
        log_progress(log, one) if isinstance(one, Progress) else log.info(one)
    handler.close()
    return output.getvalue()


def _told_by_a_stage(record: logging.LogRecord) -> bool:
    record.dagster_meta = {"step_key": "demo__round1_stage1", "orig_message": record.msg}
    return True


PROGRESS = [
    Progress(3, 8, "2/3 accepted, 70 tokens/s, 0:09 left"),
    Progress(2, 4, "loss 1.250, 0:03 left", "step"),
]
LINES = ["3/8 done, 2/3 accepted, 70 tokens/s, 0:09 left", "step 2/4, loss 1.250, 0:03 left"]


def test_a_file_gets_plain_lines() -> None:
    hello = "[pipes] external process successfully opened dagster pipes."
    output = shown(["engine ready", hello, *PROGRESS], terminal=False)
    assert [line.split(maxsplit=1) for line in output.splitlines()] == [
        ["round1_stage1", line] for line in ["engine ready", *LINES]
    ]


def test_a_terminal_gets_a_bar_and_its_cursor_back() -> None:
    output = shown(["engine ready", *PROGRESS], terminal=True)
    assert "engine ready" in output
    assert "2/4, loss 1.250, 0:03 left" in output
    assert "━" in output
    assert output.index("\x1b[?25l") < output.rindex("\x1b[?25h"), "hidden, then shown again"


def test_what_a_stage_says_to_dagster_moves_the_bar() -> None:
    output = io.StringIO()
    logger = logging.Logger("terminal")
    logger.addHandler(TerminalHandler(Console(file=output, force_terminal=True, width=120)))

    @dg.op
    def stage(context: dg.OpExecutionContext) -> None:
        for progress in PROGRESS:
            log_progress(context.log, progress)

    @dg.job(logger_defs={"terminal": dg.LoggerDefinition(lambda _: logger)})
    def loop() -> None:
        stage()

    config = {"loggers": {"terminal": {"config": {}}}}
    assert loop.execute_in_process(run_config=config).success
    assert "2/4, loss 1.250, 0:03 left" in output.getvalue()
    assert "━" in output.getvalue()
