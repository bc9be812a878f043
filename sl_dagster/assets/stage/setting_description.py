"""What a launch form says of a setting: what it is, from its class's documentation, and bounds."""

import inspect
import re
from functools import cache
from typing import Any

from pydantic import BaseModel

_ATTRIBUTE = re.compile(r"^    (\w+(?:, \w+)*): (.*(?:\n     +.*)*)", re.MULTILINE)
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "enum": "one of {}",
    "const": "only {}",
    "minItems": "at least {} of them",
}


def described(settings: type[BaseModel], name: str) -> str:
    """A setting's description and the values that it may have.

    Args:
        settings: a group of settings; its docstring describes each under ``Attributes``.
        name: one of them.
    """
    text = _documented(settings)[name].replace("``", "`")
    bounds = _bounds(_properties(settings)[name])
    return f"{text[0].upper()}{text[1:].rstrip('.')}{f' ({bounds})' if bounds else ''}."


@cache
def _properties(settings: type[BaseModel]) -> dict[str, dict[str, Any]]:
    return settings.model_json_schema()["properties"]


@cache
def _documented(settings: type[BaseModel]) -> dict[str, str]:
    attributes = inspect.cleandoc(settings.__doc__ or "").partition("Attributes:\n")[2]
    return {
        name: " ".join(text.split())
        for names, text in _ATTRIBUTE.findall(attributes)
        for name in names.split(", ")
    }


def _bounds(schema: dict[str, Any]) -> str:
    """The limits of a value, in words."""
    choices = schema.get("anyOf", [schema])
    found = [
        text.format(_listed(choice[limit]))
        for choice in choices
        for limit, text in _BOUNDS.items()
        if limit in choice
    ]
    if {"type": "null"} in choices:
        found.append("or null")
    return ", ".join(found)


def _listed(value: Any) -> str:
    if isinstance(value, list):
        return " / ".join(map(str, value))
    return value if isinstance(value, str) else f"{value:g}"
