"""Addresses of the lineage view's pages, for links from the web UI and the terminal."""

from urllib.parse import quote, urlencode

from sl_dagster.resources.stage_store import StageKey
from sl_dagster.settings import lineage_address


def record_address(record_id: str) -> str:
    """The page that follows a record."""
    return f"{lineage_address()}/record/{quote(record_id)}"


def stage_address(key: StageKey) -> str:
    """The page that lists all records of a stage."""
    query = {"experiment": key.experiment, "iteration": key.iteration or 0, "stage": key.stage}
    return f"{lineage_address()}/?{urlencode(query)}"
