"""The command line: what each command is called, its options, and what its help says.

What a command does is in ``commands``, and is imported when it is called: much of it takes seconds
to load, and help and mistakes in options must be answered at once.

Exit codes: 0 done, 1 something is wrong that the message explains, 2 wrong usage, 130 interrupted.
"""

import atexit
import os
import signal
import sys
from contextlib import suppress

import typer

from sl_dagster.cli import files, handing_on, making, showing
from sl_dagster.commands.terminal import as_text, errors
from sl_dagster.disk_errors import disk_errors_explained
from sl_dagster.errors import UserError

app = typer.Typer(
    name="sl-dagster",
    help="Self-Lengthen as Dagster assets: teach a language model to write long texts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
seeds_app = typer.Typer(help="Work with files of seed instructions.", no_args_is_help=True)
seeds_app.command("check")(files.check_seeds)
app.add_typer(seeds_app, name="seeds")
_COMMANDS = {
    "run": making.run,
    "dataset": making.dataset,
    "preview": making.preview,
    "growth": showing.growth,
    "report": showing.report,
    "stats": showing.stats,
    "rebuild-stats": showing.rebuild_stats,
    "evaluate": making.evaluate,
    "scores": showing.scores,
    "decay": showing.decay,
    "score": files.score,
    "trace": showing.trace,
    "lineage": showing.lineage,
    "filter": files.filter_file,
    "judge": files.judge_file,
    "quality": showing.quality,
    "compare": showing.compare,
    "validate": files.validate,
    "export": handing_on.export,
    "export-model": handing_on.export_model,
    "publish": handing_on.publish,
    "ui": making.ui,
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)


def _hear_what_ends_it() -> None:
    """A script's background job ignores SIGINT, and Dagster lets SIGTERM have the same fate."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def main() -> None:
    """Run the command line; see ``call``."""
    _hear_what_ends_it()
    code = call(sys.argv[1:])
    # What os._exit leaves out: temporary folders go, a bar of progress gives the cursor back.
    atexit._run_exitfuncs()
    with suppress(OSError):  # nobody listens any more
        sys.stderr.flush()
    # Not sys.exit: when torch is loaded, DuckDB's bindings complain about leaks at shutdown.
    os._exit(code)


def call(arguments: list[str]) -> int:
    """Do what the command line says; a user's mistake becomes a message.

    Args:
        arguments: after the name of the program.

    Returns:
        The exit code.
    """
    try:
        with disk_errors_explained("the command has not come to its end"):
            try:
                app(args=arguments)
            finally:
                sys.stdout.flush()
    except UserError as error:
        errors.print(f"[red]Error:[/] {as_text(str(error))}")
        return 1
    except BrokenPipeError:  # whoever read has read enough
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0
