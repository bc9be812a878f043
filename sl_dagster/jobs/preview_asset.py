"""The preview of an experiment as an asset: its page shows the table of what a full run costs."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field
from rich.console import Console

from sl_dagster.assets.stage.asset import GPU_POOL, rounded, tags_of
from sl_dagster.assets.stage.description import as_table
from sl_dagster.experiment import Experiment
from sl_dagster.jobs.preview.report import COST_COLUMNS, as_markdown, cost_rows, headline
from sl_dagster.jobs.preview.run import Preview, run_preview
from sl_dagster.jobs.terminal_logger import logger_on
from sl_dagster.resources.storage.io_managers import shown_to_the_user
from sl_dagster.resources.storage.stage_store import StageStore

_GROUP = "previews"


class PreviewConfig(dg.Config):
    """How large the preview is."""

    records: int = Field(default=5, ge=1, description="How many records to show (at least 1).")


def preview_asset(experiment: Experiment) -> dg.AssetsDefinition:
    """The experiment's preview; it works in a folder of its own, and nothing is made from it."""

    @dg.asset(
        name="preview",
        key_prefix=experiment.name,
        group_name=_GROUP,
        description=(
            f"A few records through the whole of iteration 1 of {experiment.name}, and what a full "
            "run costs. They are made in a folder of their own."
        ),
        kinds={"python"},
        code_version="1",
        owners=experiment.owners,
        tags=tags_of(experiment),
        pool=GPU_POOL,
    )
    def preview(
        context: dg.AssetExecutionContext, config: PreviewConfig, stages: StageStore
    ) -> dg.MaterializeResult:
        logger = logger_on(Console(file=_Lines(context.log.info), width=200, highlight=False))
        with shown_to_the_user():
            made = run_preview(experiment, config.records, Path(stages.data_dir), logger)
        return dg.MaterializeResult(metadata=rounded(_metadata(experiment, made)))

    return preview


def preview_job(experiment: Experiment):
    """The job that makes the preview."""
    return dg.define_asset_job(
        f"{experiment.name}_preview",
        selection=dg.AssetSelection.assets(dg.AssetKey([experiment.name, "preview"])),
        description="A few records through the whole of iteration 1, and what a full run costs; "
        f"they stand on the page of the asset `{experiment.name}/preview`.",
    )


def _metadata(experiment: Experiment, preview: Preview) -> dict[str, Any]:
    rows = [dict(zip(COST_COLUMNS, row, strict=True)) for row in cost_rows(preview)]
    memory = preview.memory
    return {
        "headline": dg.MetadataValue.md("  \n".join(headline(preview))),
        **({"full_run": as_table(rows)} if preview.costs else {}),
        "records_and_costs": dg.MetadataValue.md(as_markdown(experiment, preview)),
        "records": len(preview.records),
        "tokens_per_second": preview.tokens_per_second,
        "gib_for_the_weights": memory.weights,
        "gib_for_each_text": memory.cache_per_text,
        "gib_for_the_training": memory.training,
    }


class _Lines(io.StringIO):
    """A file that hands over each line that is written to it."""

    def __init__(self, take: Callable[[str], None]) -> None:
        super().__init__()
        self._take = take
        self._begun = ""

    def write(self, text: str, /) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if line.strip():
                self._take(line.rstrip())
        return len(text)
