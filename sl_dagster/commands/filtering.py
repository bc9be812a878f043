"""The response filter for files of any size: what ``sl-dagster filter`` does."""

import json
from collections.abc import Iterable, Iterator
from typing import TypedDict

from pydantic import BaseModel, ValidationError

from sl_dagster.errors import UserError
from sl_dagster.experiment import describe_problems
from sl_dagster.inputs.json_lines import (
    Replaced,
    name_of,
    numbered_lines,
    open_lines,
    parse_object,
)
from sl_dagster.method.filters import DropReason, Preset, drop_reason
from sl_dagster.method.language import Language, detect_language
from sl_dagster.method.words import count_words


class FilteredLine(BaseModel):
    """One record to be judged; whatever else it holds is of no concern.

    Attributes:
        text: the response.
        language: which rule applies; detected when it is not given.
        finish_reason: why the generation ended, if that is known: ``stop`` (the model ended its
            turn), ``stop_string``, ``length`` or ``repetition``.
    """

    text: str
    language: Language | None = None
    finish_reason: str | None = None


class Verdict(TypedDict):
    """What the filter says of one record."""

    accepted: bool
    reason: DropReason | None
    words: int


def filter_file(file: str, language: Language | None, preset: Preset) -> None:
    """Print a verdict for each record of a file; arguments and errors as of ``verdicts``."""
    with open_lines(file) as lines:
        for verdict in verdicts(lines, file, language, preset):
            print(json.dumps(verdict))


def verdicts(
    lines: Iterable[bytes], name: str, language: Language | None, preset: Preset
) -> Iterator[Verdict]:
    """Judge records one by one, holding only the one at hand.

    Args:
        lines: UTF-8, one JSON object each; empty lines are passed over.
        name: the file's name, for messages.
        language: the rule for all records; None leaves it to each record and, where a record does
            not say, to detection.
        preset: see ``drop_reason``.

    Returns:
        One verdict per record, in order.

    Raises:
        UserError: naming the first line that is no record, after the verdicts on those before it.
    """
    replaced = Replaced(name_of(name))
    for number, line in numbered_lines(lines):
        record = _parse(name, number, line, language)
        replaced.look_at(f"line {number}", record.text)
        yield _verdict(record, preset)
    replaced.warn()


def _verdict(record: FilteredLine, preset: Preset) -> Verdict:
    language = record.language or detect_language(record.text)
    reason = drop_reason(
        record.text,
        language,
        finish_reason=record.finish_reason,
        preset=preset,
    )
    return {
        "accepted": reason is None,
        "reason": reason,
        "words": count_words(record.text, language),
    }


def _parse(name: str, number: int, line: bytes, language: Language | None) -> FilteredLine:
    try:
        content = parse_object(line)
        if language:
            content["language"] = language
        return FilteredLine.model_validate(content)
    except ValidationError as error:
        problem = describe_problems(error)
    except ValueError as error:
        problem = str(error)
    raise UserError(
        f"{name_of(name)}, line {number}: {problem} (expected a JSON object such as "
        '{"text": "Once upon a time ...", "language": "en"}); this line and those after it have '
        "not been filtered"
    )
