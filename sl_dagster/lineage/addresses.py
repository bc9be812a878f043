"""Addresses of the lineage view's pages, for links from the web UI and the terminal."""

from urllib.parse import quote, urlencode

from sl_dagster.paths import lineage_address
from sl_dagster.resources.storage.stage_store import StageKey


def record_address(record_id: str) -> str:
    """The page that follows a record."""
    return f"{lineage_address()}/record/{quote(record_id)}"


def first_address(experiment: str | None, iteration: int | None) -> str:
    """The page to begin with: of an experiment and an iteration, if they are given."""
    asked = {"experiment": experiment, "iteration": iteration}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    return f"{lineage_address()}/?{query}" if query else f"{lineage_address()}/"


def report_address(experiment: str) -> str:
    """The report of an experiment, if it has been written."""
    return f"{lineage_address()}/report/{quote(experiment)}"


def stage_address(key: StageKey) -> str:
    """The page that lists all records of a stage."""
    query = {"experiment": key.experiment, "iteration": key.iteration or 0, "stage": key.stage}
    return f"{lineage_address()}/?{urlencode(query)}"
