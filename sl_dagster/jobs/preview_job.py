"""The job that previews an experiment from the web UI."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from sl_dagster.experiment import Experiment
from sl_dagster.jobs.preview.report import as_markdown
from sl_dagster.jobs.preview.run import run_preview
from sl_dagster.resources.storage.io_managers import shown_to_the_user
from sl_dagster.resources.storage.stage_store import StageStore


class PreviewConfig(dg.Config):
    """How large the preview is.

    Attributes:
        records: how many records to show.
    """

    records: int = Field(default=5, ge=1, description="How many records to show (at least 1).")


def preview_job(experiment: Experiment) -> dg.JobDefinition:
    """The experiment's preview as a job; its result stands in the metadata of its one step."""

    @dg.op(
        name=f"{experiment.name}_preview_records",
        description="Runs a small copy of the first iteration in a folder of its own.",
        out=dg.Out(dg.Nothing),
    )
    def preview_records(config: PreviewConfig, stages: StageStore) -> dg.Output[None]:
        with shown_to_the_user():
            preview = run_preview(experiment, config.records, Path(stages.data_dir))
        text = as_markdown(experiment, preview)
        return dg.Output(None, metadata={"preview": dg.MetadataValue.md(text)})

    @dg.job(
        name=f"{experiment.name}_preview",
        description="A few records through the whole of iteration 1, and what a full run costs.",
        executor_def=dg.in_process_executor,
    )
    def preview() -> None:
        preview_records()

    return preview
