"""Commands that show what is stored of experiments."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from sl_dagster.cli.options import ExperimentOption, FormatOption, HostOption


def growth(experiment: ExperimentOption) -> None:
    """Print how the held-out answers have grown, iteration by iteration."""
    from sl_dagster.commands import showing

    showing.growth(experiment)


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


def rebuild_stats() -> None:
    """Make the lengths database anew from the stored Parquet files.

    For a database that is damaged or was deleted. One that is only behind, because another program
    had it open, catches up by itself when the next stage is stored.
    """
    from sl_dagster.commands import showing

    showing.rebuild_stats()


def scores(
    experiment: ExperimentOption,
    format: FormatOption = "table",
) -> None:
    """Print what the models score on the experiment's benchmarks, as far as they are measured."""
    from sl_dagster.commands import showing

    showing.scores(experiment, format)


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


def trace(
    record_id: Annotated[str, typer.Argument(help="A record's id, as tables and files show it.")],
    format: Annotated[Literal["tree", "json"], typer.Option(help="How to print.")] = "tree",
) -> None:
    """Follow a record back to the seeds and to the adapters it was made with."""
    from sl_dagster.commands import following

    following.trace(record_id, as_json=format == "json")


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
