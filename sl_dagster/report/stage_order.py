"""The order in which the report names stages: that of the loop, then what comes after it."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from sl_dagster.experiment import stage_place
from sl_dagster.resources.storage.stage_key import StageKey

_Of = TypeVar("_Of")


def in_order(things: Iterable[_Of], key: Callable[[_Of], StageKey]) -> list[_Of]:
    """Sort what belongs to stages by stage, iteration and model."""

    def place(thing: _Of) -> tuple[tuple[int, int, str], int, str]:
        of = key(thing)
        return stage_place(of.stage), of.iteration or 0, of.model or ""

    return sorted(things, key=place)
