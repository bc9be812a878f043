"""The terminal: where commands print, and how rows and tables look there."""

import csv
import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from sl_dagster.method.plain_text import plain_text
from sl_dagster.results.table import Table


def _open_streams() -> None:
    """Have all three streams, whoever has closed them, and let them take every character."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.encoding.lower() != "utf-8":
        sys.stdout.reconfigure(errors="backslashreplace")


_open_streams()

# Where nobody looks (a file, CI), lines need not be as short as a terminal's.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

_TEXTUAL = ("experiment", "method", "stage", "reason", "benchmark", "model", "answers_to")

Format = Literal["table", "json", "csv"]
"""How rows are printed."""


def as_text(said: str) -> str:
    """Text for a console, in which nothing is markup and no character controls the terminal."""
    return escape(plain_text(said))


def done(said: str) -> None:
    """Say that something has succeeded."""
    console.print(f"[green]✓[/] {as_text(said)}", soft_wrap=True)


def wrong(said: str) -> None:
    """Say on standard error what is wrong."""
    errors.print(f"[red]✗[/] {as_text(said)}", soft_wrap=True)


def print_rows(
    rows: Sequence[dict[str, Any]], columns: Sequence[str], format: Format, title: str, if_none: str
) -> None:
    """Print rows in a format.

    Args:
        rows: each has all columns.
        columns: their names, in order.
        format: see ``Format``.
        title: of a table.
        if_none: what is said instead of a table without rows.
    """
    if format == "json":
        print(json.dumps(rows, indent=2))
    elif format == "csv":
        writer = csv.DictWriter(sys.stdout, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    elif not rows:
        console.print(if_none)
    else:
        table = RichTable(title=title, box=box.SIMPLE_HEAD)
        for name in columns:
            # A name that is too long goes on in the next line, so that it can be copied whole.
            justify = "left" if name in _TEXTUAL else "right"
            table.add_column(as_text(name), justify=justify, overflow="fold")
        for row in rows:
            table.add_row(*(as_text(cell(name, value)) for name, value in row.items()))
        console.print(table)


def print_table(table: Table, title: str, first: str = "left") -> None:
    """Print a table of results.

    Args:
        table: its caption is not shown.
        title: shown instead.
        first: whether its first column is ``left`` or ``right``.
    """
    shown = RichTable(title=title, box=box.SIMPLE_HEAD)
    for place, name in enumerate(table.head):
        justify = "left" if place == 0 and first == "left" else "right"
        shown.add_column(as_text(name), justify=justify)
    for row in table.rows:
        shown.add_row(*map(as_text, row))
    console.print(shown)


def cell(name: str, value: Any) -> str:
    """A value as a table shows it, by the name of its column."""
    if value is None:
        return ""
    if name in ("share", "accepted", "relevant"):
        return f"{value:.1%}"
    if isinstance(value, int) and name.endswith(" tokens"):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
