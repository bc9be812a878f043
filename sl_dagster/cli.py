"""The command line: run an experiment, look at what it made, follow a record to its sources.

Exit codes: 0 done, 1 something is wrong that the message explains, 2 wrong usage, 130 interrupted.
"""

import csv
import json
import logging
import os
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sl_dagster.errors import UserError
from sl_dagster.method.filters import Preset
from sl_dagster.paths import data_dir, experiments_dir, lineage_port

app = typer.Typer(
    name="sl-dagster",
    help="Self-Lengthen as Dagster assets: teach a language model to write long texts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
seeds_app = typer.Typer(help="Work with files of seed instructions.", no_args_is_help=True)
app.add_typer(seeds_app, name="seeds")
# Where nobody looks (a file, CI), lines need not be as short as a terminal's.
_console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)

OutOption = Annotated[Path, typer.Option(help="The folder to make; it must be new or empty.")]
_TEXTUAL = ("experiment", "method", "stage", "reason", "benchmark", "model", "answers_to")

ExperimentOption = Annotated[
    str, typer.Option("--experiment", "-e", help="Name of a file in the experiments folder.")
]


class StatsFormat(StrEnum):
    """How ``stats`` prints."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class TraceFormat(StrEnum):
    """How ``trace`` prints."""

    TREE = "tree"
    JSON = "json"


class RoleChoice(StrEnum):
    """Whose model ``export-model`` writes."""

    GENERATOR = "generator"
    EXTENDER = "extender"
    ALIGNED = "aligned"


class ExportFormat(StrEnum):
    """How ``export`` writes the final data set."""

    PARQUET = "parquet"
    JSONL = "jsonl"
    SHAREGPT = "sharegpt"
    ALPACA = "alpaca"
    OPENAI_MESSAGES = "openai-messages"


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
    force: Annotated[
        bool, typer.Option("--force", help="Make anew what is stored and still up to date, too.")
    ] = False,
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
    _print_growth(experiment)


@app.command()
def dataset(
    experiment: ExperimentOption,
    force: Annotated[
        bool, typer.Option("--force", help="Make anew what is stored and still up to date, too.")
    ] = False,
) -> None:
    """Make the final data set of all finished iterations, and the model aligned on it.

    The data set, the lengths woven into its queries, and the fine-tuning of the base model on it
    (the job `<experiment>_dataset`). `export` and `export-model --role aligned` hand them on.
    """
    from sl_dagster.commands.running import make_dataset

    make_dataset(experiment, force)


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
    from sl_dagster.experiment import load_experiment
    from sl_dagster.jobs.preview.report import for_terminal
    from sl_dagster.jobs.preview.run import run_preview

    settings = load_experiment(experiments_dir() / f"{experiment}.yaml")
    _console.print(for_terminal(settings, run_preview(settings, records, data_dir())))


@app.command()
def growth(experiment: ExperimentOption) -> None:
    """Print how the held-out answers have grown, iteration by iteration."""
    _print_growth(experiment)


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
    from sl_dagster.experiment import load_experiment
    from sl_dagster.report.page import write_report

    settings = load_experiment(experiments_dir() / f"{experiment}.yaml")
    path = write_report(settings, data_dir(), out)
    _console.print(f"[green]✓[/] {escape(str(path))}", soft_wrap=True)


@app.command()
def stats(
    experiment: Annotated[
        str | None, typer.Option("--experiment", "-e", help="Only this experiment.")
    ] = None,
    dropped: Annotated[
        bool, typer.Option("--dropped", help="Print what was dropped, and why, instead.")
    ] = False,
    format: Annotated[StatsFormat, typer.Option(help="How to print.")] = StatsFormat.TABLE,
) -> None:
    """Print the lengths of every stage and iteration: the view `length_stats`.

    Words are measured over the records that were kept. With --dropped: how many texts each stage
    discarded for each reason (`texts`: those in its data set `rejected`), their share of all that
    it judged, and whether the record was dropped for good or retried after that.
    """
    from sl_dagster.resources.storage.lengths import STATS_COLUMNS, LengthsDatabase
    from sl_dagster.resources.storage.stage_store import StageStore
    from sl_dagster.results.dropped import DROPPED_COLUMNS, dropped_rows

    stages = StageStore(data_dir=str(data_dir()))
    if experiment and not stages.complete(experiment):
        raise UserError(f"there is nothing stored of an experiment {experiment!r} yet")
    if dropped:
        rows = _in_stage_order(dropped_rows(stages, experiment))
        _print_rows(rows, DROPPED_COLUMNS, format, "dropped texts", "Nothing has been dropped.")
    else:
        rows = _in_stage_order(LengthsDatabase(data_dir=str(data_dir())).stats(experiment))
        title = "length_stats (words of kept records)"
        _print_rows(rows, STATS_COLUMNS, format, title, "Nothing has been stored yet.")


@app.command("rebuild-stats")
def rebuild_stats() -> None:
    """Make the lengths database anew from the stored Parquet files.

    For a database that is damaged or was deleted. One that is only behind, because another program
    had it open, catches up by itself when the next stage is stored.
    """
    from sl_dagster.resources.storage.lengths import LengthsDatabase

    database = LengthsDatabase(data_dir=str(data_dir()))
    database.rebuild()
    records = sum(row["records"] for row in database.stats())
    _console.print(f"[green]✓[/] {escape(str(database.path))}: {records} records", soft_wrap=True)


@app.command()
def evaluate(
    experiment: ExperimentOption,
    model: Annotated[
        list[str] | None,
        typer.Option(help="base, an iteration or aligned; may be given several times."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Make anew what is stored and still up to date, too.")
    ] = False,
) -> None:
    """Let models answer the experiment's benchmarks, and its judge grade them; by default all.

    The report is written anew after each model.
    """
    from sl_dagster.commands import running
    from sl_dagster.experiment import load_experiment

    running.evaluate(experiment, model or [], force)
    settings = load_experiment(experiments_dir() / f"{experiment}.yaml")
    if settings.benchmarks:
        _print_scores(experiment, StatsFormat.TABLE)
    if settings.judge:
        _print_quality([experiment], StatsFormat.TABLE)


@app.command()
def scores(
    experiment: ExperimentOption,
    format: Annotated[StatsFormat, typer.Option(help="How to print.")] = StatsFormat.TABLE,
) -> None:
    """Print what the models score on the experiment's benchmarks, as far as they are measured."""
    _print_scores(experiment, format)


@app.command()
def decay(
    experiment: ExperimentOption,
    format: Annotated[StatsFormat, typer.Option(help="How to print.")] = StatsFormat.TABLE,
) -> None:
    """Print where the models' answers begin to repeat themselves, fifth by fifth.

    repetition: 4-grams that occurred before in the text. distinct_2: different bigrams among all
    (lower in longer texts). self_similarity: bigrams shared with the other fifths.
    """
    from sl_dagster.experiment import load_experiment
    from sl_dagster.resources.storage.stage_store import StageStore
    from sl_dagster.results.decay import decay_rows, decay_table

    settings = load_experiment(experiments_dir() / f"{experiment}.yaml")
    table = decay_table(settings, StageStore(data_dir=str(data_dir())))
    rows = decay_rows(table)
    columns = tuple(rows[0]) if rows else ("answers_to", "model", "texts", "too_short", "part")
    title = f"{experiment}: quality along the text, means of each fifth"
    _print_rows(rows, columns, format, title, "No answers that are long enough yet.")
    for one in table:
        if not one.decay.parts:
            message = f"{one.answers_to}, model {one.model}: all {one.decay.too_short} answers"
            _errors.print(f"{message} are too short for fifths", soft_wrap=True)


@app.command()
def score(
    file: Annotated[
        str, typer.Argument(help="Answers, one JSON object per line; - is standard input.")
    ],
) -> None:
    """Say how well the answers in a file follow the lengths they were asked for (LonGen's score).

    An answer has a `type` (about, range, above or below), a `constraint` (such as "2000-3000
    words") and a `response`. Prints one JSON object: the mean score of each type, of all answers,
    and their number. Lines that cannot be scored are left out, and listed with what is wrong.
    """
    from sl_dagster.commands.scoring import length_scores
    from sl_dagster.inputs.json_lines import name_of, open_lines

    with open_lines(file) as lines:
        found = length_scores(lines)
    print(json.dumps(found, ensure_ascii=False))
    for bad in found.get("unparsed", []):
        where = f"{name_of(file)}:{bad['line']}"
        _errors.print(f"{escape(where)}: not scored: {escape(bad['problem'])}", soft_wrap=True)
    if not found["n"]:
        raise UserError(f"{name_of(file)}: there is no answer in it that can be scored")


@app.command()
def trace(
    record_id: Annotated[str, typer.Argument(help="A record's id, as tables and files show it.")],
    format: Annotated[TraceFormat, typer.Option(help="How to print.")] = TraceFormat.TREE,
) -> None:
    """Follow a record back to the seeds and to the adapters it was made with."""
    from sl_dagster.lineage.trace import as_tree, trace_record

    traced = trace_record(record_id, data_dir())
    if format is TraceFormat.JSON:
        print(json.dumps(traced, indent=2, ensure_ascii=False))
    else:
        _console.print(as_tree(traced))


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
    host: Annotated[str, typer.Option(help="The address it listens on.")] = "127.0.0.1",
) -> None:
    """Show in the browser how records came to be: search them, and follow them step by step.

    `sl-dagster ui` shows the same pages beside Dagster's. They listen at the port that
    SL_DAGSTER_LINEAGE names (http://127.0.0.1:3001 by default).
    """
    from sl_dagster.lineage.addresses import first_address, record_address
    from sl_dagster.lineage.server import serve
    from sl_dagster.lineage.trace import trace_record
    from sl_dagster.resources.storage.stage_store import StageStore

    if record:
        trace_record(record, data_dir())  # says so if there is no such record
    elif experiment:
        known = StageStore(data_dir=str(data_dir())).complete(experiment)
        if not any(iteration in (None, key.iteration or 0) for key in known):
            where = experiment if iteration is None else f"{experiment}, iteration {iteration}"
            raise UserError(f"there is nothing stored of {where} yet")
    address = record_address(record) if record else first_address(experiment, iteration)

    def ready() -> None:
        _console.print(f"{address}\nStop with Ctrl-C.", soft_wrap=True)
        if record:
            typer.launch(address)

    serve(data_dir(), host, lineage_port(), ready)


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
        Preset, typer.Option(help="reference follows the paper's implementation to the letter.")
    ] = "default",
) -> None:
    """Say of every text in a file whether the response filter accepts it, and why not.

    A record has a `text` and, if known, a `language` (such as en) and a `finish_reason`: `stop` if
    the model ended its turn, `stop_string`, `length` if a token limit cut it off, `repetition`.
    Prints one JSON object per record, in order: accepted, reason, words.
    """
    from sl_dagster.commands.filtering import verdicts
    from sl_dagster.inputs.json_lines import open_lines

    with open_lines(file) as lines:
        for verdict in verdicts(lines, file, None if language == "auto" else language, preset):
            print(json.dumps(verdict))


@app.command("judge")
def judge_file(
    file: Annotated[
        str, typer.Argument(help="Answers, one JSON object per line; - is standard input.")
    ],
    experiment: ExperimentOption,
) -> None:
    """Have the experiment's judge grade a file of answers in seven dimensions, from 1 to 10.

    An answer has an `instruction` (or `query`) and a `response`. Prints one JSON object: who judged
    (model, prompt version), n, the scores with their confidence intervals, and every judgement.
    What has been judged before is not asked again.
    """
    from sl_dagster.commands.judging import judge_answers, read_answers
    from sl_dagster.experiment import load_experiment

    settings = load_experiment(experiments_dir() / f"{experiment}.yaml")
    judged = judge_answers(settings, read_answers(file), data_dir())
    print(json.dumps(judged, indent=2, ensure_ascii=False))


@app.command()
def quality(
    experiments: Annotated[
        list[str],
        typer.Option("--experiment", "-e", help="An experiment; may be given several times."),
    ],
    format: Annotated[StatsFormat, typer.Option(help="How to print.")] = StatsFormat.TABLE,
) -> None:
    """Print what the judge thinks of each model: the asset `quality_scores`.

    Scores of different judges, or on different instructions, are not set side by side.
    """
    _print_quality(experiments, format)


@app.command()
def compare(
    experiments: Annotated[
        list[str],
        typer.Option("--experiment", "-e", help="An experiment; to be given several times."),
    ],
    format: Annotated[StatsFormat, typer.Option(help="How to print.")] = StatsFormat.TABLE,
) -> None:
    """Print the models of several experiments side by side, such as Self-Lengthen and a baseline.

    growth: mean words of the held-out answers over the base model's. accepted: the share that
    passes the response filter; relevant: the share that names everything that was asked for. Then
    the overall score on each benchmark, and the tokens that were generated and trained on to make
    the model.
    """
    from sl_dagster.experiment import load_experiment
    from sl_dagster.resources.storage.adapter_store import AdapterStore
    from sl_dagster.resources.storage.stage_store import StageStore
    from sl_dagster.results.comparison import compared_models, comparison_rows

    folder = str(data_dir())
    chosen = [load_experiment(experiments_dir() / f"{name}.yaml") for name in experiments]
    models = compared_models(chosen, StageStore(data_dir=folder), AdapterStore(data_dir=folder))
    rows = comparison_rows(models)
    if format is StatsFormat.TABLE:  # which has no room for all, and breaks headings at spaces
        rows = [
            {name.replace("_", " "): value for name, value in row.items() if name != "method"}
            for row in rows
        ]
    title = "what the models write, and what it took to make them"
    _print_rows(rows, tuple(rows[0]), format, title, "")


@app.command()
def validate(
    experiments: Annotated[
        list[str] | None,
        typer.Argument(help="Their names, or experiment files; by default all in the folder."),
    ] = None,
) -> None:
    """Check experiment files and everything they name, without running anything."""
    from sl_dagster.commands.validation import NOT_BY_ITS_NAME, validate_experiment
    from sl_dagster.experiment import experiment_file, experiment_paths

    others: list[Path] = []
    if experiments:
        files = [experiment_file(name, experiments_dir()) for name in experiments]
    else:
        files, others = experiment_paths(experiments_dir())
    wrong = 0
    for file in files:
        try:
            notes = validate_experiment(file)
        except UserError as error:
            wrong += 1
            _errors.print(f"[red]✗[/] {escape(str(error))}")
        else:
            _console.print(f"[green]✓[/] {escape(str(file))}")
            for note in notes:
                _console.print(f"  {escape(note)}", soft_wrap=True)
    for other in others:
        _console.print(f"[yellow]-[/] {escape(str(other))}: {NOT_BY_ITS_NAME}", soft_wrap=True)
    if wrong:
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
    from sl_dagster.commands.seeds import (
        balance_table,
        length_table,
        own_seed_files,
        problems,
    )
    from sl_dagster.inputs.seeds import detection_note, read_seeds

    seeds = read_seeds(files or own_seed_files())
    if not seeds:
        raise UserError(f"{', '.join(map(str, files or []))}: no seed instruction in it")
    if note := detection_note(seeds):
        _console.print(note)
    _console.print(balance_table(seeds))
    _console.print(length_table(seeds))
    found = problems(seeds)
    for problem in found:
        _errors.print(f"[red]✗[/] {escape(problem)}", soft_wrap=True)
    if found:
        raise typer.Exit(1)
    _console.print("[green]✓[/] no duplicates, no near-duplicates, no length named")


@app.command()
def export(
    experiment: ExperimentOption,
    out: OutOption,
    format: Annotated[ExportFormat, typer.Option(help="Of the files.")] = ExportFormat.PARQUET,
) -> None:
    """Write the final data set for use elsewhere, its training and its validation part.

    Queries have their lengths in them, if these have been woven in already.
    """
    from sl_dagster.experiment import load_experiment
    from sl_dagster.publishing.dataset_export import DatasetExport, export_dataset
    from sl_dagster.resources.storage.stage_store import StageStore

    settings = load_experiment(experiments_dir() / f"{experiment}.yaml")
    counts = export_dataset(
        DatasetExport(settings, format.value, out), StageStore(data_dir=str(data_dir()))
    )
    pairs = ", ".join(f"{split} {count}" for split, count in counts.items())
    _console.print(f"[green]✓[/] {escape(str(out))}: {pairs}", soft_wrap=True)


@app.command("export-model")
def export_model(
    experiment: ExperimentOption,
    role: Annotated[
        RoleChoice, typer.Option(help="One of the loop's two roles, or the aligned model.")
    ],
    out: OutOption,
    iteration: Annotated[
        int | None,
        typer.Option(
            "--iteration", "-i", min=1, help="The iteration that trained it (not for aligned)."
        ),
    ] = None,
    merged: Annotated[
        bool, typer.Option("--merged", help="The whole model instead of the adapter alone.")
    ] = False,
) -> None:
    """Write a trained adapter, or the model with it merged in, for use elsewhere."""
    from sl_dagster.experiment import load_experiment
    from sl_dagster.publishing.model_export import Export
    from sl_dagster.publishing.model_export import export_model as export
    from sl_dagster.resources.storage.adapter_store import AdapterStore

    if (iteration is None) != (role is RoleChoice.ALIGNED):
        raise typer.BadParameter(
            "name the iteration of a generator or extender, and none of an aligned model",
            param_hint="--iteration",
        )
    settings = load_experiment(experiments_dir() / f"{experiment}.yaml")
    export(
        Export(settings, iteration, role.value, merged, out),
        AdapterStore(data_dir=str(data_dir())),
    )
    _console.print(f"[green]✓[/] {escape(str(out))}", soft_wrap=True)


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
    merged: Annotated[
        bool, typer.Option("--merged", help="The whole model instead of the adapter alone.")
    ] = False,
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
    from sl_dagster.experiment import load_experiment
    from sl_dagster.publishing.publish import Publication, prepare, upload

    if not dataset and not model:
        raise typer.BadParameter("name --dataset, --model or both")
    settings = load_experiment(experiments_dir() / f"{experiment}.yaml")
    publication = Publication(settings, dataset, model, merged, licence, public)
    prepared = prepare(publication, data_dir())
    if not licence:
        _errors.print("No --licence is given: without one, nobody else may use what you publish.")
    if dry_run:
        how = "public" if public else "private"
        for one in prepared:
            _console.print(escape(f"would publish the {how} {one}"), soft_wrap=True)
        return
    for url in upload(prepared, public=public):
        _console.print(f"[green]✓[/] {escape(url)}", soft_wrap=True)


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Where the web UI listens.")] = 3000,
    host: Annotated[str, typer.Option(help="The address it listens on.")] = "127.0.0.1",
) -> None:
    """Open the web UI on the history of all runs (`dagster dev` with the project's settings).

    Beside it, the lineage view listens, to which asset pages link (see `sl-dagster lineage`).
    """
    from sl_dagster.commands.web_ui import open_web_ui

    open_web_ui(host, port, _console)


def main() -> None:
    """Run the command line; a user's mistake becomes a message and exit code 1."""
    code: Any = 0
    try:
        app()
    except UserError as error:
        _errors.print(f"[red]Error:[/] {escape(str(error))}")
        code = 1
    except SystemExit as end:
        code = end.code
    logging.shutdown()  # a bar of progress gives the terminal's cursor back
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: when torch is loaded, DuckDB's bindings complain about leaks at shutdown.
    os._exit(code if isinstance(code, int) else 0)


def _print_growth(experiment: str) -> None:
    from sl_dagster.experiment import load_experiment
    from sl_dagster.resources.storage.stage_store import StageStore
    from sl_dagster.results.growth import growth_table

    settings = load_experiment(experiments_dir() / f"{experiment}.yaml")
    rows = growth_table(settings, StageStore(data_dir=str(data_dir())))
    if not rows:
        _console.print("No held-out answers yet, so there is no growth to show.")
        return
    title = f"{experiment}: the Generator on {rows[0].scores.answers} held-out instructions"
    table = Table(title=title, box=box.SIMPLE_HEAD)
    for name in ("iteration", "mean words", "x before", "median", "accepted", "relevant"):
        table.add_column(name, justify="right")
    if settings.control:
        table.add_column("control: mean words", justify="right")
    for row in rows:
        cells = [
            "0 (base)" if row.iteration == 0 else str(row.iteration),
            f"{row.scores.mean_words:.1f}",
            f"{row.ratio:.2f}" if row.ratio else "",
            f"{row.scores.median_words:.0f}",
            f"{row.scores.accepted:.0%}",
            f"{row.scores.relevant:.0%}",
        ]
        if settings.control:
            cells.append(f"{row.control.mean_words:.1f}" if row.control else "")
        table.add_row(*cells)
    _console.print(table)


def _print_scores(experiment: str, format: StatsFormat) -> None:
    from sl_dagster.experiment import load_experiment
    from sl_dagster.resources.storage.stage_store import StageStore
    from sl_dagster.results.scores import score_rows, score_table

    settings = load_experiment(experiments_dir() / f"{experiment}.yaml")
    measured = score_table(settings, StageStore(data_dir=str(data_dir())))
    if format is not StatsFormat.TABLE or not measured:
        rows = score_rows(measured)
        columns = tuple(rows[0]) if rows else ("benchmark", "model", "answers", "overall")
        _print_rows(rows, columns, format, "", "No model has been measured yet.")
        return
    for name, benchmark in settings.benchmarks.items():
        rows = score_rows([scores for scores in measured if scores.benchmark == name])
        scale = "" if benchmark.scale == 1 else f", lengths x {benchmark.scale:g}"
        if rows:
            _console.print(_side_by_side(f"{experiment}: {name}{scale}", rows))


def _print_quality(experiments: list[str], format: StatsFormat) -> None:
    from sl_dagster.experiment import load_experiment
    from sl_dagster.method.quality import DIMENSIONS
    from sl_dagster.resources.storage.stage_store import StageStore
    from sl_dagster.results.quality import as_table, check_comparable, quality_rows

    stages = StageStore(data_dir=str(data_dir()))
    rows = []
    for name in experiments:
        rows += quality_rows(load_experiment(experiments_dir() / f"{name}.yaml"), stages)
    check_comparable(rows)
    table = as_table(rows)
    if format is StatsFormat.TABLE and table:
        if len(experiments) > 1:
            table = [{**row, "model": f"{row['experiment']}, {row['model']}"} for row in table]
        # There is room for the ends of one interval only: that of the overall score.
        ends = {f"{name}{end}" for name in DIMENSIONS for end in ("_low", "_high")}
        table = [{name: row[name] for name in row if name not in ends} for row in table]
        _console.print(_side_by_side(f"quality, as judged by {rows[0].judge['model']}", table))
        return
    _print_rows(table, tuple(table[0]) if table else (), format, "", "Nothing has been judged yet.")


def _side_by_side(title: str, rows: list[dict[str, Any]]) -> Table:
    """A column for each model, a row for each of its scores."""
    table = Table("model", title=title, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_column(row["model"], justify="right")
    for name in list(rows[0])[2:]:
        table.add_row(name, *(_cell(name, row[name]) for row in rows))
    return table


def _in_stage_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By experiment and iteration, the stages in the order of the loop."""
    from sl_dagster.experiment import stage_place

    return sorted(
        rows, key=lambda row: (row["experiment"], row["iteration"], stage_place(row["stage"]))
    )


def _print_rows(
    rows: list[dict[str, Any]],
    columns: tuple[str, ...],
    format: StatsFormat,
    title: str,
    if_empty: str,
) -> None:
    if format is StatsFormat.JSON:
        print(json.dumps(rows, indent=2))
    elif format is StatsFormat.CSV:
        writer = csv.DictWriter(sys.stdout, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    elif not rows:
        _console.print(if_empty)
    else:
        table = Table(title=title, box=box.SIMPLE_HEAD)
        for name in columns:
            textual = name in _TEXTUAL
            # A name that is too long goes on in the next line, so that it can be copied whole.
            table.add_column(name, justify="left" if textual else "right", overflow="fold")
        for row in rows:
            table.add_row(*(_cell(name, value) for name, value in row.items()))
        _console.print(table)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in ("share", "accepted", "relevant"):
        return f"{value:.1%}"
    if isinstance(value, int) and name.endswith(" tokens"):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


if __name__ == "__main__":
    main()
