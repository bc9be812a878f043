"""What all groups of settings share: their form, bounds of numbers, and paths of files they name.

What a file may hold is checked where it is read (``inputs``); here, only that it is there.
"""

import re
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from sl_dagster.method.yaml_text import parse_yaml

_MOST = (1 << 31) - 1  # that every library takes for a number of things


def _bearable(value: int) -> int:
    if value > _MOST:
        raise ValueError(f"expected at most {_MOST:,}, found {value}")
    return value


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"expected a number, found {str(value).lower()}")
    return value


# In YAML, `yes` and `on` are true, which pydantic would take for 1. It must be a number's last
# annotation: bounds that stand behind it are lost to whoever asks for them.
NO_TRUTH = BeforeValidator(_no_truth)
Temperature = Annotated[float, Field(ge=0), NO_TRUTH]
Probability = Annotated[float, Field(ge=0, le=1), NO_TRUTH]
TopP = Annotated[float, Field(gt=0, le=1), NO_TRUTH]
RepetitionPenalty = Annotated[float, Field(gt=0), NO_TRUTH]
NonNegative = Annotated[int, Field(ge=0), AfterValidator(_bearable), NO_TRUTH]
Positive = Annotated[int, Field(ge=1), AfterValidator(_bearable), NO_TRUTH]
Word = Annotated[str, StringConstraints(min_length=1)]


_LONGEST_SHOWN = 300  # characters

# What ends so is a file, although its path may look like the id of a data set.
_FILES = {".jsonl", ".json", ".csv", ".tsv", ".parquet"}


class Settings(BaseModel):
    """A group of settings: unknown keys are refused, and nothing changes it any more."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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


def reason(error: OSError | ValueError | RuntimeError) -> str:
    """Why something could not be done with a file, without its name."""
    return getattr(error, "strerror", None) or str(error)


def is_file(path: Path) -> bool:
    """Whether there is such a file, for any name; too long ones, for instance, can have none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def resolved(path: Path, info: ValidationInfo) -> Path:
    """The absolute path of what an experiment file names; ValueError if it leads nowhere."""
    try:
        return (folder_of(info) / path.expanduser()).resolve()
    except (OSError, RuntimeError) as error:  # links in a circle, the home of nobody
        raise ValueError(f"{path} leads nowhere: {reason(error)}") from None


def existing_model(value: str, info: ValidationInfo) -> str:
    """The id, or the absolute path of a model's folder; ValueError if it is none."""
    if not looks_like_a_path(value):
        return value
    folder = resolved(Path(value), info)
    if not is_file(folder / "config.json"):
        raise ValueError(f"{shortened(folder)} is no model folder: it has no config.json")
    return str(folder)


def existing_file(path: Path, info: ValidationInfo) -> Path:
    """The absolute path of a file, relative to the experiment file; ValueError if it is none."""
    file = resolved(path, info)
    if not is_file(file):
        raise ValueError(f"there is no file {shortened(file)}")
    return file


def shortened(value: object) -> str:
    """A value for a message, of which so much is enough."""
    text = str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def existing_seeds(path: Path, info: ValidationInfo) -> Path:
    """The same, or the id of a data set on the hub as it is."""
    if is_hub_id(str(path)) and not is_file(resolved(path, info)):
        return path
    return existing_file(path, info)


def still_a_path(value: Any, info: ValidationInfo) -> Any:
    """A value that looks like a path as one that cannot be taken for an id of the hub any more.

    ``Path`` forgets that ``./owner/name`` began with a dot.
    """
    named = isinstance(value, str) and looks_like_a_path(value)
    return resolved(Path(value), info) if named else value


def read_yaml(path: Path) -> Any:
    """The content of a YAML file; ValueError if it is none."""
    try:
        return parse_yaml(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {error}") from None


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The base with the changes on top, group by group; one of another type takes nothing over."""
    if "type" in changes and changes["type"] != base.get("type", changes["type"]):
        return changes
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = merged(old, value)
        result[key] = value
    return result
