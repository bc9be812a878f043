"""Commands that make something of an experiment, and the web UI in which one does so, too."""

from typing import Annotated

import typer

from sl_dagster.cli.options import (
    ExperimentOption,
    ExperimentsOption,
    ForceOption,
    HostOption,
)


def run(
    experiments: ExperimentsOption,
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
    """Run iterations of an experiment, one after another; print the growth after each.

    What is stored already and still up to date is not made again, so a run that was interrupted
    goes on where it stopped. The web UI (`sl-dagster ui`) shows the same runs.

    A stage that was made with --set goes back to the experiment's own settings when it is run
    again without; --stale leaves it as it is and makes what comes after it anew.
    """
    from sl_dagster.commands import running

    running.run(experiments, start, iterations, only or (), force, stale, settings or ())


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


def evaluate(
    experiments: ExperimentsOption,
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

    running.evaluate(experiments, model or (), force)


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the web UI listens.")] = 3000,
    host: HostOption = "127.0.0.1",
) -> None:
    """Open the web UI on the history of all runs (`dagster dev` with the project's settings).

    Beside it, the lineage view listens, to which asset pages link (see `sl-dagster lineage`).
    """
    from sl_dagster.commands import web_ui

    web_ui.open_web_ui(host, port)
