"""What a training reports on its way reaches the run's log as figures, and its outcome the run."""

import logging
import sys

import dagster as dg

from sl_dagster.progress import Progress, progress_in
from sl_dagster.resources.training_messages import TrainingMessages

TRAINING = """
from dagster_pipes import open_dagster_pipes
with open_dagster_pipes() as pipes:
    step = {"done": 3, "total": 40, "details": "loss 1.500, 1:01 left", "unit": "step"}
    pipes.report_custom_message({"progress": step})
    pipes.report_custom_message({"outcome": "good"})
"""


def test_progress_is_logged_as_it_comes_and_the_rest_is_handed_over() -> None:
    records: list[logging.LogRecord] = []
    log = logging.Logger("run")
    log.addFilter(lambda record: records.append(record) or True)
    got = []

    @dg.asset
    def trained(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        client = dg.PipesSubprocessClient(message_reader=TrainingMessages(log))
        command = [sys.executable, "-c", TRAINING]
        run = client.run(context=context.op_execution_context, command=command)
        got.extend(run.get_custom_messages())
        return dg.MaterializeResult()

    assert dg.materialize([trained]).success
    assert got == [{"outcome": "good"}]
    progress = Progress(3, 40, "loss 1.500, 1:01 left", "step")
    assert [progress_in(record) for record in records] == [progress]
    assert records[0].getMessage() == str(progress) == "step 3/40, loss 1.500, 1:01 left"
