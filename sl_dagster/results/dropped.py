"""What the stages of an experiment have discarded, and why."""

from collections.abc import Iterator
from typing import Any

from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage

DROPPED_COLUMNS: tuple[str, ...] = (
    "experiment", "iteration", "stage", "reason", "texts", "share", "dropped", "retried",
)  # fmt: skip


def dropped_rows(stages: StageStore, experiment: str | None = None) -> list[dict[str, Any]]:
    """One row per stage and reason, of one experiment or of all.

    Returns:
        Rows of ``DROPPED_COLUMNS``. ``texts``: how many texts the stage discarded for the reason;
        all of them stand in its data set ``rejected``. ``share``: of all texts that the stage
        judged. Of the discarded texts, ``retried`` were followed by another attempt at the same
        record; with the others, ``dropped``, the record was given up (in extension rounds: went on
        as it was).

    Raises:
        UserError: a stage's files are damaged.
    """
    return [row for key in stages.complete(experiment) for row in _rows(stages.read(key))]


def _rows(stage: StoredStage) -> Iterator[dict[str, Any]]:
    dropped, retried = stage.manifest["dropped"], stage.manifest["retried"]
    judged = stage.manifest["kept"] + sum(dropped.values()) + sum(retried.values())
    for reason in sorted(dropped.keys() | retried.keys()):
        given_up, tried_again = dropped.get(reason, 0), retried.get(reason, 0)
        texts = given_up + tried_again
        yield {
            "experiment": stage.key.experiment,
            "iteration": stage.key.iteration or 0,
            "stage": stage.key.name,
            "reason": reason,
            "texts": texts,
            "share": texts / judged,
            "dropped": given_up,
            "retried": tried_again,
        }
