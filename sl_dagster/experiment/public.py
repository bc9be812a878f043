"""What others need to run an experiment again: its settings, without places of this machine."""

import re
from pathlib import Path
from typing import Any

import yaml

from sl_dagster.experiment import Experiment

# Settings whose texts may be files or folders; those of other texts are Paths.
_PATHS = ("base_model", "launcher", "model", "publish_to")
# Options of engines, and variables of their environment, that say who one is.
_SECRET = re.compile(r"(key|token|passw(or)?d|secret|credentials?)$", re.IGNORECASE)
_HIDDEN = "..."


def public_base_model(experiment: Experiment) -> str:
    """The base model's name as others may read it: a local folder's path says nothing to them."""
    name = experiment.base_model
    return Path(name).name if is_local(experiment) else name


def is_local(experiment: Experiment) -> bool:
    """Whether the base model is a folder here instead of one on the hub."""
    return Path(experiment.base_model).is_dir()


def experiment_yaml(experiment: Experiment, leave_out: Any = None) -> str:
    """The settings that the experiment's file, or the one that it extends, names.

    Args:
        experiment: whose settings.
        leave_out: what is not of interest, as pydantic's ``exclude`` takes it.

    Returns:
        YAML; of files and folders on this machine the names alone, and no secrets.
    """
    exclude = {"name": True} | (leave_out or {})
    settings = shown(experiment.model_dump(exclude_unset=True, exclude=exclude))
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)


def shown(value: Any, setting: str = "") -> Any:
    """Settings as others may read them: of files and folders here, the names alone; no secrets.

    Args:
        value: of one setting, or of a group of them.
        setting: its name.
    """
    if isinstance(value, dict):
        if setting == "environment":
            return dict.fromkeys(value, _HIDDEN)
        return {key: shown(one, key) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [shown(one, setting) for one in value]
    if isinstance(value, Path):
        return value.name
    if isinstance(value, str) and _SECRET.search(setting):
        return _HIDDEN
    is_path = setting in _PATHS and isinstance(value, str) and value.startswith("/")
    return Path(value).name if is_path else value
