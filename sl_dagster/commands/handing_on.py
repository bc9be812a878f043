"""Handing on what was made: exports of data and models, and the Hugging Face hub."""

from pathlib import Path

from sl_dagster.commands.project import experiment_named, stored_adapters, stored_stages
from sl_dagster.commands.terminal import as_text, console, done, errors
from sl_dagster.paths import data_dir
from sl_dagster.publishing.dataset_export import DatasetExport, DatasetFormat, export_dataset
from sl_dagster.publishing.model_export import Export, export_model
from sl_dagster.publishing.publish import Publication, prepare, upload
from sl_dagster.resources.adapters import AnyRole


def export(name: str, format: DatasetFormat, out: Path) -> None:
    """Write the final data set of an experiment; errors as of ``export_dataset``."""
    counts = export_dataset(DatasetExport(experiment_named(name), format, out), stored_stages())
    done(f"{out}: " + ", ".join(f"{split} {count}" for split, count in counts.items()))


def export_trained(
    name: str, iteration: int | None, role: AnyRole, merged: bool, out: Path
) -> None:
    """Write a trained model of an experiment; errors as of ``export_model``."""
    export_model(Export(experiment_named(name), iteration, role, merged, out), stored_adapters())
    done(str(out))


def publish(
    name: str,
    dataset: str | None,
    model: str | None,
    merged: bool,
    licence: str | None,
    public: bool,
    dry_run: bool,
) -> None:
    """Write what is to be published, and upload it unless this is a dry run.

    Args: as of ``Publication``.

    Raises:
        UserError: something is missing, or the hub refuses it.
    """
    experiment = experiment_named(name)
    publication = Publication(experiment, dataset, model, merged, licence, public)
    prepared = prepare(publication, data_dir())
    if not licence:
        errors.print("No --licence is given: without one, nobody else may use what you publish.")
    if dry_run:
        how = "public" if public else "private"
        for one in prepared:
            console.print(as_text(f"would publish the {how} {one}"), soft_wrap=True)
        return
    for url in upload(prepared, public=public):
        done(url)
