"""``report``: all that an experiment has achieved, cost and dropped, as one HTML file."""

from pathlib import Path

import dagster as dg

from sl_dagster.assets.stage.asset import stage_asset
from sl_dagster.benchmarks import BENCHMARKS
from sl_dagster.experiment import Experiment
from sl_dagster.lineage.addresses import report_address
from sl_dagster.resources.storage.stage_store import StageStore


def report_asset(experiment: Experiment) -> dg.AssetsDefinition:
    """The report of the experiment so far."""
    measures = [BENCHMARKS[name].asset for name in experiment.benchmarks]
    if experiment.heldout or experiment.benchmarks:
        measures += ["text_decay", *(["quality_scores"] if experiment.judge else [])]

    @stage_asset(
        experiment,
        "report",
        description=(
            "Growth, acceptance, samples, scores, costs, settings and what was dropped, in one "
            "HTML file that needs no other: as far as they are stored."
        ),
        kinds={"html", "matplotlib"},
        deps=("length_growth", *measures),
        partitioned=False,
        job="evaluate",
    )
    def report(stages: StageStore) -> dg.MaterializeResult:
        # Imported late: definitions load without templates.
        from sl_dagster.report.page import write_report

        path = write_report(experiment, Path(stages.data_dir))
        return dg.MaterializeResult(
            metadata={
                "report": dg.MetadataValue.url(report_address(experiment.name)),
                "file": dg.MetadataValue.path(str(path)),
                "kilobytes": path.stat().st_size / 1000,
            }
        )

    return report
