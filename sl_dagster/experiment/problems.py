"""What pydantic finds wrong, in words for whoever wrote the file."""

import re
from typing import Any

from pydantic import ValidationError

from sl_dagster.experiment.engines import ENGINE_TYPES


def describe_problems(error: ValidationError) -> str:
    """Say in one line per problem which field is wrong, what was expected and what was found."""
    return "\n  ".join(_describe(problem) for problem in error.errors())


def _describe(problem: Any) -> str:
    # The type of an engine is no key of its settings, though pydantic puts it into the path.
    path = [part for part in problem["loc"] if part not in ENGINE_TYPES]
    field = ".".join(str(part) for part in path)
    if problem["type"].startswith("union_tag"):
        found = problem["input"].get("type", "none")
        return f"{field}.type: expected {', '.join(ENGINE_TYPES)}, found {found}"
    if problem["type"] == "extra_forbidden":
        return f"{field}: unknown key; remove it or correct its spelling"
    if problem["type"] == "missing":
        return f"{field}: this key is missing"
    if field == "name":
        return "the file's name must be lower-case letters, digits and underscores"
    message = problem["msg"].removeprefix("Value error, ").partition(", unable to parse")[0]
    message = re.sub(r"^Input should be", "expected", message)
    if problem["type"] == "model_type":
        message = "expected a group of settings (indented `key: value` lines)"
    found = problem["input"]
    if problem["type"] == "value_error" or isinstance(found, dict | list):
        return f"{field}: {message}"
    return f"{field}: {message}, found {found!r}"
