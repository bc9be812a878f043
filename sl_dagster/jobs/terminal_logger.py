"""How a run that was started on the command line tells its story in the terminal."""

import logging
from typing import Any

import dagster as dg
from rich import progress as bars
from rich.console import Console
from rich.markup import escape

from sl_dagster.method.plain_text import plain_text
from sl_dagster.progress import Progress, progress_in


class TerminalHandler(logging.Handler):
    """One short line per message: which stage says what, and which checks fail.

    Where a person looks on, a stage's progress is one bar that moves instead of many lines.
    """

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._bar: bars.Progress | None = None
        self._made: set[str] = set()
        self._checks: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        meta: dict[str, Any] = getattr(record, "dagster_meta", {})
        step = meta.get("step_key") or ""
        event = meta.get("dagster_event")
        if event is None:
            # What went wrong, and why, is said once by the launcher.
            said = meta.get("orig_message") or record.getMessage()
            # Dagster's own word that a training's process has said hello is of no interest.
            if logging.INFO <= record.levelno < logging.ERROR and not said.startswith("[pipes]"):
                self._say(_stage(step), said, progress_in(record))
        elif event.event_type_value == "ASSET_MATERIALIZATION":
            self._made.add(step)
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            self._checks.add(step)
            if not event.asset_check_evaluation_data.passed:
                self._console.print(_failed_check(event.asset_check_evaluation_data))
        elif event.event_type_value == "STEP_SUCCESS" and step in self._made:
            self._end_bar()
            seconds = event.step_success_data.duration_ms / 1000
            self._console.print(f"[green]✓[/] {escape(_stage(step)):<20} {seconds:,.1f} s")
        elif event.event_type_value == "STEP_FAILURE" and step not in self._checks:
            self._end_bar()
            self._console.print(f"[red]✗[/] {escape(_stage(step))}")

    def _say(self, stage: str, text: str, progress: Progress | None) -> None:
        if progress and self._console.is_terminal:
            self._move_bar(stage, progress)
        else:
            self._console.print(
                f"  [dim]{escape(stage):<20}[/] {escape(plain_text(text))}", soft_wrap=True
            )

    def _move_bar(self, stage: str, progress: Progress) -> None:
        if self._bar is None:
            said = "{task.completed}/{task.total}, {task.fields[details]}"
            self._bar = bars.Progress(
                bars.TextColumn("  [dim]{task.description:<20}[/]"),
                bars.BarColumn(bar_width=24),
                bars.TextColumn(said, markup=False),
                bars.TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._bar.add_task(stage, details=progress.details)
            self._bar.start()
        self._bar.update(
            self._bar.task_ids[0],
            completed=progress.done,
            total=progress.total,
            details=progress.details,
            refresh=True,  # whatever else the machine has to do
        )

    def _end_bar(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None

    def close(self) -> None:
        self._end_bar()
        super().close()


def _failed_check(check: dg.AssetCheckEvaluation) -> str:
    """A warning, or an error, in a line; a check that holds is not worth one."""
    mark = "[red]✗[/]" if check.severity is dg.AssetCheckSeverity.ERROR else "[yellow]![/]"
    said = f"check {check.check_name}: {check.description or 'failed'}"
    return f"{mark} {escape(check.asset_key.path[-1]):<20} {escape(plain_text(said))}"


def _stage(step_key: str) -> str:
    """The asset's name without the experiment's."""
    return step_key.rpartition("__")[2]


def logger_on(console: Console) -> dg.LoggerDefinition:
    """Dagster's logger that tells a run's story on a console."""

    def open_logger(context: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.getLogger("sl_dagster.terminal")
        logger.setLevel(logging.DEBUG)  # Dagster reports the end of a step as DEBUG
        logger.propagate = False
        for handler in logger.handlers:
            handler.close()
        logger.handlers = [TerminalHandler(console)]
        return logger

    return dg.LoggerDefinition(
        open_logger, description="Short lines for a person at the terminal (`sl-dagster run`)."
    )


terminal_logger = logger_on(Console(highlight=False))
