"""What can be changed when a stage is launched: its config form, built from the experiment.

The form of a stage has the settings that the stage reads, under the names that they have in the
experiment file and with the experiment's values as defaults. What is changed in it lies on top of
the experiment for this one launch, goes into the result's fingerprint, and is stored with it.

Some settings are no part of any form. ``extension.rounds`` decides which assets there are, and
``training.lora`` the shape of adapters that later iterations continue: both are changed in the
experiment file, as is what has no section of its own.
"""

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import dagster as dg
from pydantic import BaseModel, Field, create_model

from sl_dagster.assets.stage.setting_description import described
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment, Sampling

# Whole files, whom all models are judged by, what decides which assets there are, and the shape
# that an adapter keeps for life.
_IN_THE_FILE_ONLY = (
    "prompts", "judge", "benchmarks", "heldout.file", "dataset.collect", "training.lora",
)  # fmt: skip


class StageConfig(dg.Config):
    """What can be changed when a stage is launched."""

    force: bool = Field(
        default=False,
        description="Make it anew even if a result of the same inputs, settings and code is there.",
    )

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
    sections: dict[str, list[_Field]] = {}
    for setting in settings:
        section, _, name = setting.partition(".")
        if not name or setting in _IN_THE_FILE_ONLY or section in _IN_THE_FILE_ONLY:
            continue
        sections.setdefault(section, []).append(_field(experiment, section, name))
    groups = tuple(_group(name, tuple(fields)) for name, fields in sections.items())
    return _class("StageSettings", StageConfig, groups)


@functools.cache
def config_schema(form: type[StageConfig]) -> Any:
    """A stage's config class as Dagster's older schema, which is made but once per class."""
    return form.to_config_schema()


def check_launch(experiment: Experiment, run_config: Mapping[str, Any]) -> None:
    """See that no stage of a launch has a setting that it cannot have.

    Dagster's editor knows the types of settings and not their bounds. A stage must not run for
    hours before the next one finds that it cannot begin.

    Args:
        experiment: whose stages are launched.
        run_config: of the whole run.

    Raises:
        UserError: naming the stage, the setting, and what was expected there.
    """
    for name, given in (run_config.get("ops") or {}).items():
        of, _, stage = name.rpartition("__")
        settings = {key: value for key, value in (given.get("config") or {}).items()
                    if key != "force"}  # fmt: skip
        if of == experiment.name:
            try:
                experiment.changed(settings)
            except UserError as error:
                raise UserError(f"the settings of this launch: {stage}: {error}") from None


# A setting's name, type, default (None: that of its type) and description. It can be a key of a
# cache: most experiments have most settings at the same values, and a class takes a while to make.
_Field = tuple[str, Any, Any, str]
_Config = TypeVar("_Config", bound=dg.Config)


def _field(experiment: Experiment, section: str, name: str) -> _Field:
    if name == "sampling":
        sampling = experiment.sampling_of(section)  # pyright: ignore[reportArgumentType]
        return _group(name, tuple(_value(sampling, part) for part in Sampling.model_fields))
    return _value(getattr(experiment, section), name)


def _group(name: str, fields: tuple[_Field, ...]) -> _Field:
    return name, _class(name, dg.Config, fields), None, f"As in the experiment file's `{name}`."


@functools.cache
def _class(name: str, base: type[_Config], fields: tuple[_Field, ...]) -> type[_Config]:
    shown: dict[str, Any] = {
        field: (kind, Field(default=_default(kind, default), description=description))
        for field, kind, default, description in fields
    }
    return create_model(name, __base__=base, __module__=__name__, **shown)


def _default(kind: Any, default: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, dg.Config):
        return kind()
    return list(default) if isinstance(default, tuple) else default


def _value(model: BaseModel, name: str) -> _Field:
    value = getattr(model, name)
    if isinstance(value, Path):
        value = str(value)
    kind = _config_type(type(model).model_fields[name].annotation)
    shown = as_shown(value)
    hashable = tuple(shown) if isinstance(shown, list) else shown
    return name, kind, hashable, described(type(model), name)


def as_shown(value: Any) -> Any:
    """A setting's value as a form has it: line ends within words are written as in code.

    YAML would show a stop string of three line ends as four empty lines in quotation marks.
    """
    if not isinstance(value, list | tuple):
        return value
    return [one.translate(_ESCAPES) if isinstance(one, str) else one for one in value]


def _as_meant(value: Any) -> Any:
    """The inverse of ``as_shown``."""
    if not isinstance(value, list):
        return value
    return [
        re.sub(r"\\[\\nrt]", lambda found: _MEANT[found[0]], one) if isinstance(one, str) else one
        for one in value
    ]


_MEANT = {r"\n": "\n", r"\r": "\r", r"\t": "\t", "\\\\": "\\"}
_ESCAPES = str.maketrans({meant: shown for shown, meant in _MEANT.items()})


def _config_type(annotation: Any) -> Any:
    """A setting's type as Dagster's config system knows it; ``over`` checks the rest."""
    if get_origin(annotation) is Annotated:
        return _config_type(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return annotation  # offered as a list of values, which has no place for None
    if get_origin(annotation) in (Union, UnionType):
        [annotation] = [kind for kind in get_args(annotation) if kind is not NoneType]
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
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
        elif _as_meant(value) != _as_meant(field.default):
            found[name] = _as_meant(value)
    return found
