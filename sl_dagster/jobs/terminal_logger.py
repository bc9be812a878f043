"""How a run that was started on the command line tells its story in the terminal."""

import logging
from typing import Any

import dagster as dg
from rich.console import Console
from rich.markup import escape

_console = Console(highlight=False)


class _TerminalHandler(logging.Handler):
    """One short line per message: which stage says what, and which checks fail."""

    def __init__(self) -> None:
        super().__init__()
        self._checks: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        meta: dict[str, Any] = getattr(record, "dagster_meta", {})
        step = meta.get("step_key") or ""
        event = meta.get("dagster_event")
        if event is None and not logging.INFO <= record.levelno < logging.ERROR:
            return  # what went wrong, and why, is said once by the launcher
        if event is None:
            text = meta.get("orig_message") or record.getMessage()
            _console.print(f"  [dim]{escape(_stage(step)):<20}[/] {escape(text)}")
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            self._checks.add(step)
            if not event.asset_check_evaluation_data.passed:
                _console.print(_failed_check(event.asset_check_evaluation_data))
        elif event.event_type_value == "STEP_SUCCESS" and step not in self._checks:
            seconds = event.step_success_data.duration_ms / 1000
            _console.print(f"[green]✓[/] {escape(_stage(step)):<20} {seconds:,.1f} s")
        elif event.event_type_value == "STEP_FAILURE" and step not in self._checks:
            _console.print(f"[red]✗[/] {escape(_stage(step))}")


def _failed_check(check: dg.AssetCheckEvaluation) -> str:
    """A warning, or an error, in a line; a check that holds is not worth one."""
    mark = "[red]✗[/]" if check.severity is dg.AssetCheckSeverity.ERROR else "[yellow]![/]"
    said = f"check {check.check_name}: {check.description or 'failed'}"
    return f"{mark} {escape(check.asset_key.path[-1]):<20} {escape(said)}"


def _stage(step_key: str) -> str:
    """The asset's name without the experiment's."""
    return step_key.rpartition("__")[2]


def _open_logger(context: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.getLogger("sl_dagster.terminal")
    logger.setLevel(logging.DEBUG)  # Dagster reports the end of a step as DEBUG
    logger.propagate = False
    logger.handlers = [_TerminalHandler()]
    return logger


terminal_logger = dg.LoggerDefinition(
    _open_logger, description="Short lines for a person at the terminal (`sl-dagster run`)."
)
