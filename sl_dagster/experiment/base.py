"""What all groups of settings share: their form, bounds of numbers, and paths of files they name.

What a file may hold is checked where it is read (``inputs``); here, only that it is there.
"""

import re
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from sl_dagster.method.yaml_text import parse_yaml

Temperature = Annotated[float, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, le=1)]
TopP = Annotated[float, Field(gt=0, le=1)]
RepetitionPenalty = Annotated[float, Field(gt=0)]
NonNegative = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


# What ends so is a file, although its path may look like the id of a data set.
_FILES = {".jsonl", ".json", ".csv", ".tsv", ".parquet"}


class Settings(BaseModel):
    """A group of settings: unknown keys are refused, and nothing changes it any more."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def missing() -> PydanticCustomError:
    """The error of a key that other settings make necessary."""
    return PydanticCustomError("missing", "Field required")


def looks_like_a_path(value: str) -> bool:
    """Whether a model or a data set is named by a path, and not by its id on the hub."""
    return value.startswith((".", "/", "~"))


def is_hub_id(value: str) -> bool:
    """Whether this can be the id of a data set on the hub, ``owner/name``, and is no file."""
    named = re.fullmatch(r"[\w.-]+/[\w.-]+", value) and not looks_like_a_path(value)
    return bool(named) and Path(value).suffix not in _FILES


def folder_of(info: ValidationInfo) -> Path:
    """The folder of the experiment file that is being read."""
    return (info.context or {}).get("folder", Path.cwd()).absolute()


def _resolve(path: Path, info: ValidationInfo) -> Path:
    return (folder_of(info) / path.expanduser()).resolve()


def existing_model(value: str, info: ValidationInfo) -> str:
    """The id, or the absolute path of a model's folder; ValueError if it is none."""
    if not looks_like_a_path(value):
        return value
    folder = _resolve(Path(value), info)
    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder} is no model folder: it has no config.json")
    return str(folder)


def existing_file(path: Path, info: ValidationInfo) -> Path:
    """The absolute path of a file, relative to the experiment file; ValueError if it is none."""
    resolved = _resolve(path, info)
    if not resolved.is_file():
        raise ValueError(f"there is no file {resolved}")
    return resolved


def existing_seeds(path: Path, info: ValidationInfo) -> Path:
    """The same, or the id of a data set on the hub as it is."""
    if is_hub_id(str(path)) and not _resolve(path, info).is_file():
        return path
    return existing_file(path, info)


def still_a_path(value: Any, info: ValidationInfo) -> Any:
    """A value that looks like a path as one that cannot be taken for an id of the hub any more.

    ``Path`` forgets that ``./owner/name`` began with a dot.
    """
    named = isinstance(value, str) and looks_like_a_path(value)
    return _resolve(Path(value), info) if named else value


def read_yaml(path: Path) -> Any:
    """The content of a YAML file; ValueError if it is none."""
    try:
        return parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path} is no YAML: {error}") from None


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The base with the changes on top, group by group."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = merged(old, value)
        result[key] = value
    return result
