"""What pydantic finds wrong, in words for whoever wrote the file."""

import re
from datetime import date
from typing import Any

from pydantic import ValidationError

from sl_dagster.experiment.engines import ENGINE_TYPES

UNKNOWN_KEY = "unknown key; remove it or correct its spelling"

_SETTINGS = "a group of settings (indented `key: value` lines)"
_LIST = "a list (`[a, b]`, or lines that begin with `- `)"
# What is expected, by pydantic's name of the error: its own words are those of Python.
_EXPECTED = {
    "model_type": _SETTINGS,
    "model_attributes_type": _SETTINGS,
    "dict_type": _SETTINGS,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "string_type": "text",
    "path_type": "the path of a file",
    "string_too_short": "some text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
_COUNTED = {"too_short": "least", "too_long": "most"}
_LONGEST = 80  # characters of what was found


def describe_problems(error: ValidationError) -> str:
    """Say in one line per problem which field is wrong, what was expected and what was found."""
    problems: list[Any] = list(error.errors())
    # Items that are wrong are missed in the list: said of them, it need not be said of the list.
    lines = [
        _describe(problem)
        for problem in problems
        if problem["type"] != "too_short"
        or not any(_is_within(other["loc"], problem["loc"]) for other in problems)
    ]
    return "\n  ".join(lines)


def found(value: Any) -> str:
    """A value as a message shows it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple | set):
        return "a list"
    if isinstance(value, dict):
        return "a group of settings"
    text = value.isoformat() if isinstance(value, date) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _is_within(place: tuple[Any, ...], group: tuple[Any, ...]) -> bool:
    return len(place) > len(group) and place[: len(group)] == group


def _describe(problem: Any) -> str:
    field = _field(problem["loc"])
    kind, value = problem["type"], problem["input"]
    if field == "name" and kind not in ("missing", "extra_forbidden"):
        return "the file's name must be lower-case letters, digits and underscores"
    if kind.startswith("union_tag"):
        named = value.get("type", "none")
        shown = named if isinstance(named, str) else found(named)
        return f"{field}.type: expected {', '.join(ENGINE_TYPES)}, found {shown}"
    said = _message(problem)
    if kind not in ("extra_forbidden", "invalid_key", "missing", "value_error", *_COUNTED):
        said = f"{said}, found {found(value)}{_quotes(kind, value)}"
    return f"{field}: {said}" if field else said


def _field(place: tuple[Any, ...]) -> str:
    # The type of an engine is no key of its settings, though pydantic puts it into the path.
    path = [
        part
        for before, part in zip((None, *place), place, strict=False)
        if not (before == "engine" and part in ENGINE_TYPES) and part != "[key]"
    ]
    return ".".join(str(part) or "''" for part in path)


def _message(problem: Any) -> str:
    kind = problem["type"]
    if kind in ("extra_forbidden", "invalid_key"):
        return UNKNOWN_KEY
    if kind == "missing":
        return "this key is missing"
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}"
    if kind in _COUNTED:
        context = problem["ctx"]
        number = context["min_length" if kind == "too_short" else "max_length"]
        return f"expected at {_COUNTED[kind]} {number} of them, found {context['actual_length']}"
    message = problem["msg"].removeprefix("Value error, ")
    return re.sub(r"^Input should be", "expected", message)


def _quotes(kind: str, value: Any) -> str:
    """What YAML takes for something else is meant as text."""
    meant = kind == "string_type" and isinstance(value, bool | int | float | date)
    return ": put it in quotes" if meant else ""
