"""Addresses of the lineage view's pages, and of the assets' pages that it links back to."""

from typing import Any
from urllib.parse import quote, urlencode

from sl_dagster.paths import lineage_address, web_ui_address
from sl_dagster.resources.storage.stage_key import StageKey


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
    return lineage_address() + stage_path(key)


def stage_path(key: StageKey, **more: Any) -> str:
    """The same within the lineage view; ``more`` are further parts of what is asked for."""
    # The stage's name, not its asset's: of what measures models, it says which model.
    query = {"experiment": key.experiment, "iteration": key.iteration or 0, "stage": key.name}
    return "/?" + urlencode(query | more)


def asset_address(key: StageKey) -> str:
    """The page of the stage's asset in the web UI."""
    return web_ui_address() + asset_path(key)


def asset_path(key: StageKey) -> str:
    """The same within the web UI, at the right iteration or model."""
    path = f"/assets/{quote(key.experiment)}/{quote(key.stage)}"
    partition = key.model or key.iteration
    return f"{path}?{urlencode({'partition': partition})}" if partition else path
