"""Options and arguments that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from sl_dagster.commands.terminal import Format

OutOption = Annotated[Path, typer.Option(help="The folder to make; it must be new or empty.")]
ExperimentOption = Annotated[
    str, typer.Option("--experiment", "-e", help="Name of a file in the experiments folder.")
]
ExperimentsOption = Annotated[
    list[str],
    typer.Option(
        "--experiment",
        "-e",
        help="Name of a file in the experiments folder; may be given several times, for one "
        "after the other.",
    ),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Make anew what is stored and still up to date, too.")
]
FormatOption = Annotated[Format, typer.Option(help="How to print.")]
MergedOption = Annotated[
    bool, typer.Option("--merged", help="The whole model instead of the adapter alone.")
]
AnswersArgument = Annotated[
    str, typer.Argument(help="Answers, one JSON object per line; - is standard input.")
]


def _no_empty_host(value: str) -> str:
    # An empty address means all of the machine's, which nobody should get by mistake.
    if not value:
        raise typer.BadParameter("name an address, such as 127.0.0.1; 0.0.0.0 for all")
    return value


HostOption = Annotated[
    str, typer.Option(callback=_no_empty_host, help="The address it listens on.")
]
