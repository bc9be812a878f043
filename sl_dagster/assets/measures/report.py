"""``report``: all that an experiment has achieved, cost and dropped, as one HTML file."""

from pathlib import Path

import dagster as dg

from sl_dagster.assets.stage.asset import Asset
from sl_dagster.assets.stage.description import headline
from sl_dagster.assets.stage.run import StageRun
from sl_dagster.benchmarks import BENCHMARKS
from sl_dagster.experiment import Experiment
from sl_dagster.lineage.addresses import report_address


class Report(Asset):
    """The report of the experiment so far."""

    name = "report"
    description = (
        "Growth, acceptance, samples, scores, costs, settings and what was dropped, in one HTML "
        "file that needs no other: as far as they are stored."
    )
    kinds = ("html", "matplotlib")
    per = "experiment"
    job = "evaluate"
    reads = None

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(experiment)
        measures = [BENCHMARKS[name].asset for name in experiment.benchmarks]
        if experiment.heldout or experiment.benchmarks:
            measures += ["text_decay", *(["quality_scores"] if experiment.judge else [])]
        self.deps = ("length_growth", *measures)

    def make(self, run: StageRun) -> dg.MaterializeResult:
        # Imported late: definitions load without templates.
        from sl_dagster.report.page import write_report

        path = write_report(run.experiment, Path(run.stages.data_dir))
        return dg.MaterializeResult(
            metadata={
                "headline": headline(run.key, f"The report of {run.experiment.name}"),
                "report": dg.MetadataValue.url(report_address(run.experiment.name)),
                "file": dg.MetadataValue.path(str(path)),
                "kilobytes": path.stat().st_size / 1000,
            }
        )
