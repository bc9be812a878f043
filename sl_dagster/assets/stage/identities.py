"""The settings that a stage reads, as they stand in its fingerprint."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from sl_dagster.experiment import Experiment, Sampling


def value_of(experiment: Experiment, setting: str) -> Any:
    """What an experiment has for a setting, as a JSON-serialisable value.

    Args:
        setting: as in ``reads``: ``extension.sampling`` is that with the experiment's own beneath
            it, ``prompts.extend`` that prompt in each language.
    """
    section, _, name = setting.partition(".")
    if section == "prompts":
        prompts = experiment.prompts_by_language
        return [prompts[language].model_dump()[name] for language in experiment.languages]
    if name == "sampling":
        return experiment.sampling_of(section).model_dump()  # pyright: ignore[reportArgumentType]
    value: Any = experiment.model_dump(mode="json")
    for part in setting.split("."):
        value = value and value.get(part)  # a section may be missing, and so has nothing
    return value


def chosen(experiment: Experiment, settings: Iterable[str]) -> dict[str, Any]:
    """Those of the settings that are not at the values that they have by default."""
    plain = Experiment.model_construct(base_model="", languages=experiment.languages)
    values = {setting: value_of(experiment, setting) for setting in settings}
    return {
        setting: value
        for setting, value in values.items()
        if setting.startswith("prompts.") or value != value_of(plain, setting)
    }


def section_identity(section: BaseModel, *names: str) -> dict[str, Any]:
    """A group of settings as it stands in a fingerprint: these always, others if they are changed.

    So that a setting that is new to the group leaves what is stored up to date.
    """
    always = section.model_dump(mode="json", include=set(names))
    return always | section.model_dump(mode="json", exclude=set(names), exclude_defaults=True)


def sampling_identity(sampling: Sampling) -> dict[str, Any]:
    """How is sampled, as it stands in a fingerprint."""
    return section_identity(
        sampling, "temperature", "top_p", "top_k", "repetition_penalty", "max_tokens", "stop"
    )


def filter_identity(experiment: Experiment) -> dict[str, Any]:
    """The filter of a stage that cuts remarks off what it keeps, as it stands in a fingerprint.

    The reference cuts nothing, and what was stored with it before anything was cut stays as it is.
    """
    identity = experiment.filter.identity
    cuts = experiment.filter.preset == "default"
    return identity | ({"commentary": "cut"} if cuts else {})


def prompts_identity(experiment: Experiment, name: str) -> list[Any]:
    """A prompt in all languages of an experiment, as it stands in a fingerprint."""
    return value_of(experiment, f"prompts.{name}")
