"""The command line: what each command is called, its options, and what its help says.

What a command does is in ``commands``, and is imported when it is called: much of it takes seconds
to load, and help and mistakes in options must be answered at once.

Exit codes: 0 done, 1 something is wrong that the message explains, 2 wrong usage, 130 interrupted.
"""

import atexit
import os
import re
import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from sl_dagster.commands.terminal import Format, as_text, errors
from sl_dagster.errors import UserError

app = typer.Typer(
    name="sl-dagster",
    help="Self-Lengthen as Dagster assets: teach a language model to write long texts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
seeds_app = typer.Typer(help="Work with files of seed instructions.", no_args_is_help=True)
app.add_typer(seeds_app, name="seeds")

OutOption = Annotated[Path, typer.Option(help="The folder to make; it must be new or empty.")]

ExperimentOption = Annotated[
    str, typer.Option("--experiment", "-e", help="Name of a file in the experiments folder.")
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


@app.command()
def run(
    experiment: ExperimentOption,
    iterations: Annotated[
        int | None,
        typer.Option(min=1, help="The last iteration to run; all of the experiment by default."),
    ] = None,
    start: Annotated[int, typer.Option("--from", min=1, help="The first iteration to run.")] = 1,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Make only this stage (an asset's name); may be given several times."),
    ] = None,
    force: ForceOption = False,
    stale: Annotated[
        bool, typer.Option("--stale", help="Make only what is out of date, in every iteration.")
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a setting of the experiment for this launch, such as "
            "extension.sampling.temperature=0.8; may be given several times.",
        ),
    ] = None,
) -> None:
    """Run iterations of an experiment, one after another.

    What is stored already and still up to date is not made again, so a run that was interrupted
    goes on where it stopped. The web UI (`sl-dagster ui`) shows the same runs.

    A stage that was made with --set goes back to the experiment's own settings when it is run
    again without; --stale leaves it as it is and makes what comes after it anew.
    """
    from sl_dagster.commands import running

    running.run(experiment, start, iterations, only or (), force, stale, settings or ())


@app.command()
def dataset(
    experiment: ExperimentOption,
    force: ForceOption = False,
) -> None:
    """Make the final data set of all finished iterations, and the model aligned on it.

    The data set, the lengths woven into its queries, and the fine-tuning of the base model on it
    (the job `<experiment>_dataset`). `export` and `export-model --role aligned` hand them on.
    """
    from sl_dagster.commands import running

    running.make_dataset(experiment, force)


@app.command()
def preview(
    experiment: ExperimentOption,
    records: Annotated[
        int, typer.Option("--records", "-n", min=1, help="How many records to show.")
    ] = 5,
) -> None:
    """Run a few records through one iteration, show them, and estimate what the full run costs.

    It works in a folder of its own: nothing of the experiment is touched.
    """
    from sl_dagster.commands import running

    running.preview(experiment, records)


@app.command()
def growth(experiment: ExperimentOption) -> None:
    """Print how the held-out answers have grown, iteration by iteration."""
    from sl_dagster.commands import showing

    showing.growth(experiment)


@app.command()
def report(
    experiment: ExperimentOption,
    out: Annotated[
        Path | None,
        typer.Option(help="The file to write; report.html in the experiment's data by default."),
    ] = None,
) -> None:
    """Write all that is known of an experiment into one HTML file that can be sent to anybody.

    Growth, acceptance, samples, scores, costs, settings, and what was dropped: as far as they are
    stored. The asset `report` writes the same.
    """
    from sl_dagster.commands import showing

    showing.report(experiment, out)


@app.command()
def stats(
    experiment: Annotated[
        str | None, typer.Option("--experiment", "-e", help="Only this experiment.")
    ] = None,
    dropped: Annotated[
        bool, typer.Option("--dropped", help="Print what was dropped, and why, instead.")
    ] = False,
    format: FormatOption = "table",
) -> None:
    """Print the lengths of every stage and iteration: the view `length_stats`.

    Words are measured over the records that were kept. With --dropped: how many texts each stage
    discarded for each reason (`texts`: those in its data set `rejected`), their share of all that
    it judged, and whether the record was dropped for good or retried after that.
    """
    from sl_dagster.commands import showing

    showing.stats(experiment, dropped, format)


@app.command("rebuild-stats")
def rebuild_stats() -> None:
    """Make the lengths database anew from the stored Parquet files.

    For a database that is damaged or was deleted. One that is only behind, because another program
    had it open, catches up by itself when the next stage is stored.
    """
    from sl_dagster.commands import showing

    showing.rebuild_stats()


@app.command()
def evaluate(
    experiment: ExperimentOption,
    model: Annotated[
        list[str] | None,
        typer.Option(help="base, an iteration or aligned; may be given several times."),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Let models answer the experiment's benchmarks, and its judge grade them; by default all.

    The report is written anew after each model.
    """
    from sl_dagster.commands import running

    running.evaluate(experiment, model or (), force)


@app.command()
def scores(
    experiment: ExperimentOption,
    format: FormatOption = "table",
) -> None:
    """Print what the models score on the experiment's benchmarks, as far as they are measured."""
    from sl_dagster.commands import showing

    showing.scores(experiment, format)


@app.command()
def decay(
    experiment: ExperimentOption,
    format: FormatOption = "table",
) -> None:
    """Print where the models' answers begin to repeat themselves, fifth by fifth.

    repetition: 4-grams that occurred before in the text. distinct_2: different bigrams among all
    (lower in longer texts). self_similarity: bigrams shared with the other fifths.
    """
    from sl_dagster.commands import showing

    showing.decay(experiment, format)


@app.command()
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


@app.command()
def trace(
    record_id: Annotated[str, typer.Argument(help="A record's id, as tables and files show it.")],
    format: Annotated[Literal["tree", "json"], typer.Option(help="How to print.")] = "tree",
) -> None:
    """Follow a record back to the seeds and to the adapters it was made with."""
    from sl_dagster.commands import following

    following.trace(record_id, as_json=format == "json")


@app.command()
def lineage(
    experiment: Annotated[
        str | None, typer.Option("--experiment", "-e", help="Show this experiment first.")
    ] = None,
    iteration: Annotated[
        int | None, typer.Option("--iteration", "-i", min=0, help="And this iteration of it.")
    ] = None,
    record: Annotated[
        str | None, typer.Option("--open", metavar="RECORD_ID", help="Open this record's page.")
    ] = None,
    host: HostOption = "127.0.0.1",
) -> None:
    """Show in the browser how records came to be: search them, and follow them step by step.

    `sl-dagster ui` shows the same pages beside Dagster's. They listen at the port that
    SL_DAGSTER_LINEAGE names (http://127.0.0.1:3001 by default).
    """
    from sl_dagster.commands import following

    following.show_lineage(experiment, iteration, record, host)


def _language_or_auto(value: str) -> str:
    if not re.fullmatch("auto|[a-z]{2,3}", value):
        raise typer.BadParameter(f"{value} is neither auto nor an ISO code such as en, zh or de")
    return value


@app.command("filter")
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


@app.command("judge")
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


@app.command()
def quality(
    experiments: Annotated[
        list[str],
        typer.Option("--experiment", "-e", help="An experiment; may be given several times."),
    ],
    format: FormatOption = "table",
) -> None:
    """Print what the judge thinks of each model: the asset `quality_scores`.

    Scores of different judges, or on different instructions, are not set side by side.
    """
    from sl_dagster.commands import showing

    showing.quality(experiments, format)


@app.command()
def compare(
    experiments: Annotated[
        list[str],
        typer.Option("--experiment", "-e", help="An experiment; to be given several times."),
    ],
    format: FormatOption = "table",
) -> None:
    """Print the models of several experiments side by side, such as Self-Lengthen and a baseline.

    growth: mean words of the held-out answers over the base model's. accepted: the share that
    passes the response filter; relevant: the share that names everything that was asked for. Then
    the overall score on each benchmark, and the tokens that were generated and trained on to make
    the model.
    """
    from sl_dagster.commands import showing

    showing.compare(experiments, format)


@app.command()
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


@seeds_app.command("check")
def check_seeds(
    files: Annotated[
        list[Path] | None,
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


@app.command()
def export(
    experiment: ExperimentOption,
    out: OutOption,
    format: Annotated[
        Literal["parquet", "jsonl", "sharegpt", "alpaca", "openai-messages"],
        typer.Option(help="Of the files."),
    ] = "parquet",
) -> None:
    """Write the final data set for use elsewhere, its training and its validation part.

    Queries have their lengths in them, if these have been woven in already.
    """
    from sl_dagster.commands import handing_on

    handing_on.export(experiment, format, out)


@app.command("export-model")
def export_model(
    experiment: ExperimentOption,
    role: Annotated[
        Literal["generator", "extender", "aligned"],
        typer.Option(help="One of the loop's two roles, or the aligned model."),
    ],
    out: OutOption,
    iteration: Annotated[
        int | None,
        typer.Option(
            "--iteration", "-i", min=1, help="The iteration that trained it (not for aligned)."
        ),
    ] = None,
    merged: MergedOption = False,
) -> None:
    """Write a trained adapter, or the model with it merged in, for use elsewhere."""
    from sl_dagster.commands import handing_on

    if (iteration is None) != (role == "aligned"):
        raise typer.BadParameter(
            "name the iteration of a generator or extender, and none of an aligned model",
            param_hint="--iteration",
        )
    handing_on.export_trained(experiment, iteration, role, merged, out)


@app.command()
def publish(
    experiment: ExperimentOption,
    dataset: Annotated[
        str | None, typer.Option(help="Publish the data there: owner/name on the hub.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Publish the aligned model, or else the last Generator, there: owner/name."
        ),
    ] = None,
    merged: MergedOption = False,
    licence: Annotated[
        str | None, typer.Option(help="The licence, as the hub names it: apache-2.0, cc-by-4.0 ...")
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Visible to everybody; private by default.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write everything locally, and upload nothing.")
    ] = False,
) -> None:
    """Publish data and model on the Hugging Face hub, with cards that say how they were made."""
    from sl_dagster.commands import handing_on

    if not dataset and not model:
        raise typer.BadParameter("name --dataset, --model or both")
    handing_on.publish(experiment, dataset, model, merged, licence, public, dry_run)


@app.command()
def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the web UI listens.")] = 3000,
    host: HostOption = "127.0.0.1",
) -> None:
    """Open the web UI on the history of all runs (`dagster dev` with the project's settings).

    Beside it, the lineage view listens, to which asset pages link (see `sl-dagster lineage`).
    """
    from sl_dagster.commands import web_ui

    web_ui.open_web_ui(host, port)


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
    sys.stdout.flush()
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
        app(args=arguments)
    except UserError as error:
        errors.print(f"[red]Error:[/] {as_text(str(error))}")
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


if __name__ == "__main__":
    main()
