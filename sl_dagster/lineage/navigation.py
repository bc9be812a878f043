"""Which stages there are, as the lists of the lineage view offer them."""

from collections.abc import Iterable
from dataclasses import replace

from sl_dagster.experiment import ALIGNED_MODEL, STAGES_AFTER_THE_LOOP, stage_place
from sl_dagster.lineage.addresses import stage_path
from sl_dagster.resources.storage.stage_key import StageKey

Choices = tuple[str, list[tuple[str, str, bool]]]
_BEFORE, _AFTER, _MODELS = "before", "after", "models"


class Navigation:
    """The complete stages of a data folder, grouped as an experiment goes through them.

    A group is what was there before the loop, one of its iterations, what was made after it, or
    what measures the models.

    Attributes:
        complete: all of them.
    """

    def __init__(self, complete: list[StageKey]) -> None:
        self.complete = complete

    def of_experiment(self, here: StageKey) -> list[StageKey]:
        """All stages of the same experiment, in the order in which they are made."""
        mine = [key for key in self.complete if key.experiment == here.experiment]
        return sorted(mine, key=_place)

    def beside(self, here: StageKey) -> list[StageKey]:
        """The stages of the same group."""
        return [key for key in self.of_experiment(here) if _group(key) == _group(here)]

    def rows(self, here: StageKey) -> list[Choices]:
        """What else can be looked at: for each row of choices its name and the choices.

        A choice has a label, an address, and whether it is what is shown.
        """
        experiments = sorted({key.experiment for key in self.complete})
        beside = self.beside(here)
        rows = [
            ("experiment", [self._experiment(name, here) for name in experiments]),
            ("iteration", self._groups(here)),
            ("stage", [_stage(name, beside, here) for name in _distinct(k.stage for k in beside)]),
        ]
        if here.model is not None:
            models = [key for key in beside if key.stage == here.stage]
            rows.append(("model", [(str(k.model), stage_path(k), k == here) for k in models]))
        return rows

    def _experiment(self, name: str, here: StageKey) -> tuple[str, str, bool]:
        there = [key for key in self.complete if key.experiment == name]
        return name, stage_path(furthest(there)), name == here.experiment

    def _groups(self, here: StageKey) -> list[tuple[str, str, bool]]:
        """The same stage in other iterations, where there is one, otherwise what came furthest."""
        mine = self.of_experiment(here)
        choices = []
        for group in _distinct(map(_group, mine)):
            there = [key for key in mine if _group(key) == group]
            same = [key for key in there if key.stage == here.stage]
            choices.append(
                (group, stage_path((same or [furthest(there)])[0]), group == _group(here))
            )
        return choices


def furthest(keys: list[StageKey]) -> StageKey:
    """The stage to look at first: the responses of the last iteration, if there are any."""
    return max(
        keys,
        key=lambda key: (key.iteration or 0, key.stage == "extended_responses", _place(key)),
    )


def _group(key: StageKey) -> str:
    if key.model is not None:
        return _MODELS
    if key.iteration is not None:
        return str(key.iteration)
    return _AFTER if key.stage in STAGES_AFTER_THE_LOOP else _BEFORE


def _place(key: StageKey) -> tuple[int, int, tuple[int, int, str], tuple[bool, int, str]]:
    """Sorts stages as they are made; models with the iterations between base and aligned."""
    group = {_BEFORE: 0, _AFTER: 2, _MODELS: 3}.get(_group(key), 1)
    model = key.model or ""
    number = int(model) if model.isdecimal() else 0
    return (
        group,
        key.iteration or 0,
        stage_place(key.stage),
        (model == ALIGNED_MODEL, number, model),
    )


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _stage(stage: str, beside: list[StageKey], here: StageKey) -> tuple[str, str, bool]:
    """A stage of the group; of what measures models, that of the same model, if there is one."""
    wanted = replace(here, stage=stage)
    key = wanted if wanted in beside else next(key for key in beside if key.stage == stage)
    return stage, stage_path(key), stage == here.stage
