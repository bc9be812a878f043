"""The order in which the report names stages: that of the loop, then what comes after it."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from sl_dagster.experiment import stage_names
from sl_dagster.resources.storage.stage_store import StageKey

_Of = TypeVar("_Of")
_ROUNDS = 99  # more than any experiment has; only the order of the names matters
_TRAINED = {"generator_lora": "generator_sft", "extender_lora": "extender_sft"}
_PLACES = {name: place for place, name in enumerate(stage_names(_ROUNDS))}


def in_order(things: Iterable[_Of], key: Callable[[_Of], StageKey]) -> list[_Of]:
    """Sort what belongs to stages by stage, iteration and model."""

    def place(thing: _Of) -> tuple[int, str, int, str]:
        of = key(thing)
        stage = _PLACES.get(_TRAINED.get(of.stage, of.stage), len(_PLACES))
        return stage, of.stage, of.iteration or 0, of.model or ""

    return sorted(things, key=place)
