"""What every asset's page must be like, as far as its metadata decides."""

from collections.abc import Mapping

import dagster as dg

_SHOWN_ON_THE_PAGE = 999  # characters of Markdown; what is longer, the web UI shows after a click
LONGEST_KEY = (
    24  # characters that leave the column of values wide enough for a picture at 1280 pixels
)
_LINE = 42  # characters that the column of values shows


def assert_one_sees_what_matters(metadata: Mapping[str, dg.MetadataValue]) -> None:
    """A headline in short lines, then a picture if there is one, and no more digits than needed."""
    first, *others = metadata
    assert first == "headline"
    lines = [line.rstrip() for line in str(metadata["headline"].value).splitlines()]
    assert lines[0].startswith("**"), "which iteration, which model, or what"
    assert max(map(len, lines)) <= _LINE, lines
    pictures = [key for key in others if str(metadata[key].value).startswith("![")]
    if pictures:
        assert others[0] == pictures[0]
        assert len(str(metadata[pictures[0]].value)) <= _SHOWN_ON_THE_PAGE
    for key in metadata:
        assert len(key) <= LONGEST_KEY
    for value in metadata.values():
        if isinstance(value, dg.FloatMetadataValue) and value.value is not None:
            assert value.value == round(value.value, 3)


def pages(home: str) -> dict[str, Mapping[str, dg.MetadataValue]]:
    """The metadata of every materialization in a history, the last of each asset's partitions."""
    found: dict[str, Mapping[str, dg.MetadataValue]] = {}
    with dg.DagsterInstance.from_config(home) as instance:
        for run in reversed(instance.get_runs()):
            for entry in instance.all_logs(run.run_id, dg.DagsterEventType.ASSET_MATERIALIZATION):
                made = entry.asset_materialization
                assert made
                found[f"{made.asset_key.path[-1]} {made.partition or ''}"] = made.metadata
    return found
