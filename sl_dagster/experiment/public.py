"""What others need to run an experiment again: its settings, without places of this machine."""

from pathlib import Path
from typing import Any

import yaml

from sl_dagster.experiment import Experiment


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
        YAML; of files and folders on this machine the names alone.
    """
    exclude = {"name": True} | (leave_out or {})
    settings = shown(experiment.model_dump(exclude_unset=True, exclude=exclude))
    return yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)


def shown(value: Any) -> Any:
    """Settings as others may read them: of files and folders here, the names alone."""
    if isinstance(value, dict):
        return {key: shown(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [shown(one) for one in value]
    if isinstance(value, Path):
        return value.name
    return Path(value).name if isinstance(value, str) and value.startswith("/") else value
