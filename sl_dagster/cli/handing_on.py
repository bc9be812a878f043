"""Commands that hand on what was made."""

from typing import Annotated, Literal

import typer

from sl_dagster.cli.options import ExperimentOption, MergedOption, OutOption


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
