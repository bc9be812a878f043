"""What can be changed when a stage is launched: its config form, built from the experiment.

The form of a stage has the settings that the stage reads, under the names that they have in the
experiment file and with the experiment's values as defaults. What is changed in it lies on top of
the experiment for this one launch, goes into the result's fingerprint, and is stored with it.

Some settings are no part of any form. ``extension.rounds`` decides which assets there are, and
``training.lora`` the shape of adapters that later iterations continue: both are changed in the
experiment file.
"""

from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import dagster as dg
from pydantic import BaseModel, create_model

from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment, Sampling


class StageConfig(dg.Config):
    """What can be changed when a stage is launched.

    Attributes:
        force: make it anew even if a result of the same inputs, settings and code is stored.
    """

    force: bool = False

    def overrides(self) -> dict[str, Any]:
        """The settings at other values than the experiment's, nested like its file."""
        return {key: value for key, value in _changes(self).items() if key != "force"}

    def over(self, experiment: Experiment) -> Experiment:
        """The experiment with the overrides on top.

        Raises:
            UserError: naming the setting and what was expected there.
        """
        try:
            return experiment.changed(self.overrides())
        except UserError as error:
            raise UserError(f"the settings of this launch: {error}") from None


def stage_config(experiment: Experiment, settings: tuple[str, ...]) -> type[StageConfig]:
    """The config class of a stage.

    Args:
        experiment: gives the defaults.
        settings: what the stage reads, such as ``extension.tries``; ``extension.sampling`` stands
            for all settings of the sampling.
    """
    sections: dict[str, dict[str, _Field]] = {}
    for setting in settings:
        section, _, name = setting.partition(".")
        sections.setdefault(section, {})[name] = _field(experiment, section, name)
    groups: dict[str, Any] = {name: _group(name, fields) for name, fields in sections.items()}
    return create_model("StageSettings", __base__=StageConfig, __module__=__name__, **groups)


_Field = tuple[Any, Any]  # a setting's type and default, as pydantic takes them


def _field(experiment: Experiment, section: str, name: str) -> _Field:
    if name == "sampling":
        sampling = experiment.sampling_of(section)  # pyright: ignore[reportArgumentType]
        return _group(name, {part: _value(sampling, part) for part in Sampling.model_fields})
    return _value(getattr(experiment, section), name)


def _group(name: str, fields: dict[str, Any]) -> _Field:
    kind = create_model(name, __base__=dg.Config, __module__=__name__, **fields)
    return kind, kind()


def _value(model: BaseModel, name: str) -> _Field:
    value = getattr(model, name)
    if isinstance(value, tuple):
        value = list(value)
    elif isinstance(value, Path):
        value = str(value)
    return _config_type(type(model).model_fields[name].annotation), value


def _config_type(annotation: Any) -> Any:
    """A setting's type as Dagster's config system knows it; ``over`` checks the rest."""
    if get_origin(annotation) is Annotated:
        return _config_type(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return annotation  # offered as a list of values, which has no place for None
    if get_origin(annotation) in (Union, UnionType):
        [annotation] = [kind for kind in get_args(annotation) if kind is not NoneType]
    if get_origin(annotation) is tuple:
        return list[_scalar_type(get_args(annotation)[0])] | None
    return _scalar_type(annotation) | None


def _scalar_type(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return get_args(annotation)[0]
    return annotation if annotation in (bool, int, float) else str


def _changes(config: dg.Config) -> dict[str, Any]:
    """The fields that differ from their defaults, group by group."""
    found: dict[str, Any] = {}
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if isinstance(value, dg.Config):
            value = _changes(value)
            if value:
                found[name] = value
        elif value != field.default:
            found[name] = value
    return found
