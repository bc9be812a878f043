"""Runs an experiment's iterations through the web UI: Dagster's daemon, queue, and code server.

    python -m tests.through_web_ui FOLDER

FOLDER is a project's (``tests.assets.conftest``), whose experiment is called ``small``. What has
not come to its end is launched, unless it still runs; it ends when all has. If Dagster ends, or a
run fails, it fails.
"""

import sys
import time
from pathlib import Path

import dagster as dg

from tests.assets.conftest import Project
from tests.browser.conftest import WebUI


def main() -> None:
    """Start the web UI, and one iteration after the other; end with all that was started."""
    project = Project(Path(sys.argv[1]))
    ui = WebUI(project)
    try:
        ui.wait_until_up()
        with dg.DagsterInstance.from_config(str(project.root / "home")) as instance:
            for iteration in project.experiment.partitions:
                _come_to_the_end(ui, instance, iteration)
    except BaseException:
        ui.close()
        raise
    # As its user ends it; its code servers end when they notice.
    ui.process.terminate()
    ui.process.wait(timeout=60)


def _come_to_the_end(ui: WebUI, instance: dg.DagsterInstance, iteration: str) -> None:
    wanted = dg.RunsFilter(tags={"dagster/partition": iteration}, job_name="small_iteration")
    launched = False
    while True:
        run = next(iter(instance.get_runs(wanted, limit=1)), None)
        if run and run.status == dg.DagsterRunStatus.SUCCESS:
            return
        if not run or run.is_finished:
            if launched:
                sys.exit(f"the run of iteration {iteration} has failed")
            ui.launch(iteration)
            launched = True
        if ui.process.poll() is not None:
            sys.exit(f"the web UI has ended: {ui.said[-2000:]}")
        time.sleep(0.5)


if __name__ == "__main__":
    main()
