"""Reading data sets from the Hugging Face hub."""

from collections.abc import Iterator
from typing import Any

from sl_dagster.errors import UserError


def hub_rows(dataset: str, key: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """The rows of a data set, each after its split's name and its number, the first being 1.

    Args:
        dataset: its id.
        key: of the experiment file, where a file may be named instead.

    Raises:
        UserError: it cannot be loaded.
    """
    # Imported late: it takes seconds.
    from datasets import DatasetDict, load_dataset

    try:
        splits = load_dataset(dataset)
    except Exception as error:  # of many libraries: network, hub, formats
        raise UserError(
            f"{dataset}: cannot be loaded from the Hugging Face hub ({error}): check the id and "
            f"the network, or download the file and name it under `{key}`"
        ) from error
    assert isinstance(splits, DatasetDict)
    for split, rows in splits.items():
        for number, row in enumerate(rows, start=1):
            yield str(split), number, dict(row)
