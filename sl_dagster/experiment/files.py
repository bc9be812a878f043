"""Reading experiment files: YAML, with one file building on another."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from sl_dagster.errors import UserError
from sl_dagster.experiment.base import merged
from sl_dagster.experiment.model import Experiment
from sl_dagster.experiment.problems import describe_problems


def load_experiment(path: Path) -> Experiment:
    """Read one experiment file.

    Paths in it are relative to the file's folder. With ``extends: other.yaml`` it takes over the
    settings of another file in the same folder and changes only those it names.

    Raises:
        UserError: naming the file, the field, and what was expected there.
    """
    content = _read(path)
    if "name" in content:
        raise UserError(f"{path}: name: an experiment is named by its file; remove this line")
    if "extends" in content:
        base = path.parent / str(content.pop("extends"))
        content = merged(_read(base), content)
    try:
        return Experiment.model_validate(
            {"name": path.stem, **content}, context={"folder": path.parent}
        )
    except ValidationError as error:
        raise UserError(f"{path}: {describe_problems(error)}") from None


def load_experiments(folder: Path) -> list[Experiment]:
    """Read every experiment of a folder, in the order of their names.

    Raises:
        UserError: for the first file that is not right, or when there is none.
    """
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise UserError(f"{folder}: no experiment file (*.yaml) in this folder")
    return [load_experiment(path) for path in files]


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such experiment file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: is no YAML: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected settings (`key: value` lines), found none")
    return content
