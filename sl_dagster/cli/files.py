"""Commands for files that users bring along: answers, texts, experiments, seeds."""

import re
from typing import Annotated, Literal

import typer

from sl_dagster.cli.options import AnswersArgument, ExperimentOption


def _language_or_auto(value: str) -> str:
    if not re.fullmatch("auto|[a-z]{2,3}", value):
        raise typer.BadParameter(f"{value} is neither auto nor an ISO code such as en, zh or de")
    return value


def score(
    file: AnswersArgument,
) -> None:
    """Say how well the answers in a file follow the lengths they were asked for (LonGen's score).

    An answer has a `type` (about, range, above or below), a `constraint` (such as "2000-3000
    words") and a `response`. Prints one JSON object: the mean score of each type, of all answers,
    and their number. Lines that cannot be scored are left out, and listed with what is wrong.
    """
    from sl_dagster.commands import scoring

    scoring.score(file)


def filter_file(
    file: Annotated[
        str, typer.Argument(help="Records, one JSON object per line; - is standard input.")
    ],
    language: Annotated[
        str,
        typer.Option(
            callback=_language_or_auto,
            help="ISO code; auto: the record's own `language`, else it is detected.",
        ),
    ] = "auto",
    preset: Annotated[
        Literal["default", "reference"],
        typer.Option(help="reference follows the paper's implementation to the letter."),
    ] = "default",
) -> None:
    """Say of every text in a file whether the response filter accepts it, and why not.

    A record has a `text` and, if known, a `language` (such as en) and a `finish_reason`: `stop` if
    the model ended its turn, `stop_string`, `length` if a token limit cut it off, `repetition`.
    Prints one JSON object per record, in order: accepted, reason, words.
    """
    from sl_dagster.commands import filtering

    filtering.filter_file(file, None if language == "auto" else language, preset)


def judge_file(
    file: AnswersArgument,
    experiment: ExperimentOption,
) -> None:
    """Have the experiment's judge grade a file of answers in seven dimensions, from 1 to 10.

    An answer has an `instruction` (or `query`) and a `response`. Prints one JSON object: who judged
    (model, prompt version), n, the scores with their confidence intervals, and every judgement.
    What has been judged before is not asked again.
    """
    from sl_dagster.commands import judging

    judging.judge(file, experiment)


def validate(
    experiments: Annotated[
        list[str] | None,
        typer.Argument(help="Their names, or experiment files; by default all in the folder."),
    ] = None,
) -> None:
    """Check experiment files and everything they name, without running anything."""
    from sl_dagster.commands import validation

    if not validation.validate(experiments or ()):
        raise typer.Exit(1)


def check_seeds(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="Seed files (JSON lines, JSON, CSV, Parquet), or ids of data sets on the Hugging "
            "Face hub; the project's seeds by default."
        ),
    ] = None,
) -> None:
    """Look for duplicates and other mistakes in seed files; show their lengths and balance.

    Files that are given together are compared with each other, too.
    """
    from sl_dagster.commands import seeds

    if not seeds.check(files or ()):
        raise typer.Exit(1)
