"""The pairs of the final data set as they are trained on and exported: with their lengths."""

from collections.abc import Iterator

from sl_dagster.errors import UserError
from sl_dagster.resources.records import Pair
from sl_dagster.resources.storage.stored_stage import StoredStage


def final_pairs(dataset: StoredStage, length_controlled: StoredStage) -> Iterator[Pair]:
    """All pairs in the data set's order, with a length in the query where one was woven in.

    Args:
        dataset: the stage ``dataset``.
        length_controlled: the stage of this name, made from that data set.
    """
    woven = length_controlled.records(Pair)
    following = next(woven, None)
    for pair in dataset.records(Pair):
        if following and following.parents == (pair.record_id,):
            yield following
            following = next(woven, None)
        else:
            yield pair
    if following:
        raise UserError(
            f"{length_controlled.key} was made from an earlier {dataset.key}: materialize it again"
        )
