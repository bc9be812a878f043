"""Showing what is stored: lengths, what was dropped, growth, scores, quality, comparisons."""

from pathlib import Path
from typing import Any

from sl_dagster.commands.project import experiment_named, stored_adapters, stored_stages
from sl_dagster.commands.terminal import (
    Format,
    cell,
    console,
    done,
    errors,
    print_rows,
    print_table,
)
from sl_dagster.disk_errors import disk_errors_explained
from sl_dagster.errors import UserError
from sl_dagster.experiment import stage_place
from sl_dagster.method.quality import DIMENSIONS
from sl_dagster.paths import data_dir
from sl_dagster.report.page import write_report
from sl_dagster.resources.storage.lengths import STATS_COLUMNS, LengthsDatabase
from sl_dagster.results.comparison import compared_models, comparison_rows
from sl_dagster.results.decay import decay_rows, decay_table
from sl_dagster.results.dropped import DROPPED_COLUMNS, dropped_rows
from sl_dagster.results.growth import growth_table
from sl_dagster.results.quality import as_table, check_comparable, quality_rows
from sl_dagster.results.scores import score_rows, score_table
from sl_dagster.results.table import Table
from sl_dagster.results.tables import growth_as_table, scores_as_tables


def stats(experiment: str | None, dropped: bool, format: Format) -> None:
    """Print the lengths of every stage, or what it dropped.

    Raises:
        UserError: nothing is stored of the experiment.
    """
    stages = stored_stages()
    if experiment and not stages.complete(experiment):
        raise UserError(f"there is nothing stored of an experiment {experiment!r} yet")
    if dropped:
        rows = _in_stage_order(dropped_rows(stages, experiment))
        print_rows(rows, DROPPED_COLUMNS, format, "dropped texts", "Nothing has been dropped.")
    else:
        rows = _in_stage_order(LengthsDatabase(data_dir=str(data_dir())).stats(experiment))
        title = "length_stats (words of kept records)"
        print_rows(rows, STATS_COLUMNS, format, title, "Nothing has been stored yet.")


def rebuild_stats() -> None:
    """Make the lengths database anew from the stored files."""
    database = LengthsDatabase(data_dir=str(data_dir()))
    with disk_errors_explained(f"{database.path}: cannot be made anew"):
        database.rebuild()
    records = sum(row["records"] for row in database.stats())
    done(f"{database.path}: {records} records")


def growth(name: str) -> None:
    """Print how the held-out answers of an experiment have grown."""
    rows = growth_table(experiment_named(name), stored_stages())
    if not rows:
        console.print("No held-out answers yet, so there is no growth to show.")
        return
    title = f"{name}: the Generator on {rows[0].scores.answers} held-out instructions"
    print_table(growth_as_table(rows), title, first="right")


def scores(name: str, format: Format) -> None:
    """Print what an experiment's models score on its benchmarks."""
    experiment = experiment_named(name)
    measured = score_table(experiment, stored_stages())
    if format == "table" and measured:
        for table in scores_as_tables(experiment, measured):
            print_table(table, f"{name}: {table.caption}")
        return
    rows = score_rows(measured)
    columns = tuple(rows[0]) if rows else ("benchmark", "model", "answers", "overall")
    print_rows(rows, columns, format, "", "No model has been measured yet.")


def decay(name: str, format: Format) -> None:
    """Print where the answers of an experiment's models begin to repeat themselves."""
    table = decay_table(experiment_named(name), stored_stages())
    rows = decay_rows(table)
    columns = tuple(rows[0]) if rows else ("answers_to", "model", "texts", "too_short", "part")
    title = f"{name}: quality along the text, means of each fifth"
    print_rows(rows, columns, format, title, "No answers that are long enough yet.")
    for one in table:
        if not one.decay.parts:
            message = f"{one.answers_to}, model {one.model}: all {one.decay.too_short} answers"
            errors.print(f"{message} are too short for fifths", soft_wrap=True)


def quality(names: list[str], format: Format) -> None:
    """Print what the judge thinks of the models of experiments.

    Raises:
        UserError: their scores cannot be set side by side.
    """
    stages = stored_stages()
    rows = [row for name in names for row in quality_rows(experiment_named(name), stages)]
    check_comparable(rows)
    table = as_table(rows)
    if format == "table" and table:
        models = [f"{row.experiment}, {row.model}" if names[1:] else row.model for row in rows]
        # There is room for the ends of one interval only: that of the overall score.
        ends = {f"{name}{end}" for name in DIMENSIONS for end in ("_low", "_high")}
        measures = [name for name in list(table[0])[2:] if name not in ends]
        cells = [[name, *(cell(name, row[name]) for row in table)] for name in measures]
        title = f"quality, as judged by {rows[0].judge['model']}"
        print_table(Table(["model", *models], cells), title)
        return
    columns = tuple(table[0]) if table else ()
    print_rows(table, columns, format, "", "Nothing has been judged yet.")


def compare(names: list[str], format: Format) -> None:
    """Print the models of several experiments side by side.

    Raises:
        UserError: an experiment has no measured model, or they answer other instructions.
    """
    chosen = [experiment_named(name) for name in names]
    rows = comparison_rows(compared_models(chosen, stored_stages(), stored_adapters()))
    if format == "table":  # which has no room for all, and breaks headings at spaces
        rows = [
            {name.replace("_", " "): value for name, value in row.items() if name != "method"}
            for row in rows
        ]
    title = "what the models write, and what it took to make them"
    print_rows(rows, tuple(rows[0]), format, title, "")


def report(name: str, out: Path | None) -> None:
    """Write an experiment's report; errors as of ``write_report``."""
    done(str(write_report(experiment_named(name), data_dir(), out)))


def _in_stage_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By experiment and iteration, the stages in the order of the loop."""
    return sorted(
        rows, key=lambda row: (row["experiment"], row["iteration"], stage_place(row["stage"]))
    )
