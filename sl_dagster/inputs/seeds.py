"""Reading seed instructions as people have them: in several formats, from files and from the hub.

JSON lines, a JSON array, CSV and Parquet; with the project's own keys, or those of Alpaca,
self-instruct, ShareGPT, chats and prompts.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from sl_dagster.errors import UserError
from sl_dagster.experiment import is_hub_id
from sl_dagster.experiment.base import is_file, shortened
from sl_dagster.inputs.hub import hub_rows
from sl_dagster.inputs.instructions import InstructionLine
from sl_dagster.inputs.json_lines import (
    Replaced,
    checked,
    decoded,
    numbered_objects,
    parse_json,
)
from sl_dagster.method.language import Language, detect_language
from sl_dagster.method.plain_text import plain_content

# Rows with one of these keys come from elsewhere, and may have more that nobody needs. In other
# rows of JSON a key that is not known is a mistake.
_FOREIGN = {
    "input", "output", "instances", "conversations", "messages", "prompt", "response", "context",
    "completion", "chosen", "history", "system", "id", "source", "category", "dataset",
}  # fmt: skip
_EXPECTED = (
    'expected an "instruction", and perhaps its "language" and "kind"; or a row of Alpaca, '
    'self-instruct or ShareGPT, or a "prompt"'
)
_USERS = ("user", "human")
_NOTHING = ("", "<noinput>")
_SEPARATOR = re.compile(r"sep=(.)")  # a first line by which spreadsheets tell each other


@dataclass(frozen=True)
class Seed:
    """A seed instruction.

    Attributes:
        place: where it stands, as ``file:line`` (the row of a table, the item of an array).
        line: the instruction.
        detected: whether its language was detected, since the file does not name it.
    """

    place: str
    line: InstructionLine
    detected: bool


@dataclass(frozen=True)
class _Row:
    """A row of a file: its number, where it stands in words, and whether it is one of a table."""

    number: str
    where: str
    content: dict[str, Any]
    of_table: bool = False


def read_seeds(sources: Iterable[Path]) -> list[Seed]:
    """The seeds of several files, or data sets of the hub named by their ids, in order.

    Raises:
        UserError: one cannot be read, or naming the line or row that is no instruction.
    """
    return [seed for source in sources for seed in _seeds_of(source)]


def read_seed_instructions(sources: Sequence[Path], languages: tuple[Language, ...]) -> list[Seed]:
    """The same, leaving out other languages than those asked for.

    Raises:
        UserError: as there, or naming the language that has no seed.
    """
    seeds = read_seeds(sources)
    for language in languages:
        if all(seed.line.language != language for seed in seeds):
            raise UserError(
                f"{', '.join(map(str, sources))}: no instruction in {language}: add some, or take "
                f"{language} out of `languages` in the experiment file"
            )
    return [seed for seed in seeds if seed.line.language in languages]


def detection_note(seeds: Sequence[Seed]) -> str | None:
    """Says of how many seeds the language was detected, if it was of any."""
    found = Counter(seed.line.language for seed in seeds if seed.detected)
    if not found:
        return None
    counts = ", ".join(f"{language} {count}" for language, count in sorted(found.items()))
    return f"the language of {found.total()} of {len(seeds)} seeds is detected: {counts}"


def _seeds_of(source: Path) -> Iterator[Seed]:
    for row in _rows(source):
        content = _instruction_of(row.content, strict=not row.of_table)
        detected = not content.get("language")
        if detected:
            content["language"] = detect_language(str(content.get("instruction", "")))
        line = checked(InstructionLine, content, f"{source}, {row.where}", _EXPECTED)
        yield Seed(f"{source}:{row.number}", line, detected)


def _rows(source: Path) -> Iterator[_Row]:
    if is_hub_id(str(source)) and not is_file(source):
        for split, number, content in hub_rows(str(source), "seeds"):
            yield _Row(f"{split}:{number}", f"split {split}, row {number}", content, of_table=True)
        return
    try:
        content = source.read_bytes()
    except OSError as error:
        raise UserError(f"{shortened(source)}: cannot be read: {error.strerror}") from None
    suffix = source.suffix.lower()
    if suffix == ".parquet":
        yield from _plain(source, _parquet_rows(source))
    elif suffix in (".csv", ".tsv"):
        yield from _plain(source, _csv_rows(source, _text_of(source, content)))
    elif content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        yield from _plain(source, _array_items(source, _text_of(source, content)))
    else:
        for number, row in numbered_objects(io.BytesIO(content), str(source)):
            yield _Row(str(number), f"line {number}", row)


def _plain(source: Path, rows: Iterable[_Row]) -> Iterator[_Row]:
    """The rows with what is no text in them replaced, and counted in a warning."""
    replaced = Replaced(str(source))
    for row in rows:
        content = plain_content(row.content)
        replaced.look_at(row.where, content)
        yield replace(row, content=cast("dict[str, Any]", content))
    replaced.warn()


def _text_of(source: Path, content: bytes) -> str:
    try:
        return decoded(content).removeprefix("\ufeff")
    except ValueError as error:
        raise UserError(f"{source}: {error}") from None


def _array_items(source: Path, text: str) -> Iterator[_Row]:
    try:
        items = parse_json(text)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{source}, line {error.lineno}: is not JSON ({error.msg}, character {error.colno})"
        ) from None
    except ValueError as error:
        raise UserError(f"{source}: is no list of records ({error})") from None
    for number, item in enumerate(items, start=1):
        if isinstance(item, str):
            item = {"instruction": item}
        if not isinstance(item, dict):
            raise UserError(f"{source}, item {number}: is no record (it is not a JSON object)")
        yield _Row(str(number), f"item {number}", item)


def _csv_rows(source: Path, text: str) -> Iterator[_Row]:
    first = text.lstrip().partition("\n")[0].strip()
    named = _SEPARATOR.fullmatch(first)
    delimiter = named[1] if named else max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    number = 1
    try:
        for fields in reader:
            # A row may have several lines. Its number is that of the first.
            where, number = number, reader.line_num + 1
            if header is None:
                if any(fields) and not (named and _SEPARATOR.fullmatch(delimiter.join(fields))):
                    header = _header(fields, f"{source}, line {where}")
            elif len(fields) > len(header):
                raise UserError(
                    f"{source}, line {where}: has more fields than the header names: put quotes "
                    f"around fields with a {delimiter!r} in them"
                )
            elif any(fields):
                row = {name: field for name, field in zip(header, fields, strict=False) if field}
                yield _Row(str(where), f"line {where}", row, of_table=True)
    except csv.Error as error:
        raise UserError(f"{source}, line {number}: is not CSV ({error})") from None


def _header(fields: list[str], where: str) -> list[str]:
    names = [name.strip() for name in fields]
    for name in names:
        if name and names.count(name) > 1:
            raise UserError(f"{where}: the column {name} is named twice: remove one of the two")
    return names


def _parquet_rows(source: Path) -> Iterator[_Row]:
    # Imported late, as it is seldom needed.
    import pyarrow.parquet

    try:
        rows = pyarrow.parquet.read_table(source).to_pylist()
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise UserError(f"{source}: is no Parquet file, or damaged ({error})") from None
    for number, row in enumerate(rows, start=1):
        yield _Row(str(number), f"row {number}", row, of_table=True)


def _instruction_of(row: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    """The fields of an ``InstructionLine`` in a row, whatever its format."""
    own = dict(row)
    if not strict or row.keys() & _FOREIGN:
        own = {key: row[key] for key in InstructionLine.model_fields if row.get(key) is not None}
    if "instruction" not in own:
        asked = _asked(row)
        return own if asked is None else own | {"instruction": asked}
    given = row.get("input") or row.get("context")
    match row.get("instances"):
        case [{"input": str(text)}, *_]:
            given = text
    if isinstance(given, str) and given.strip().lower() not in _NOTHING:
        own["instruction"] = f"{own['instruction']}\n\n{given.strip()}"
    return own


def _asked(row: dict[str, Any]) -> str | None:
    """What a user says first in a chat, or a prompt."""
    prompt = row.get("prompt")
    if isinstance(prompt, str):
        return prompt
    turns = prompt or row.get("messages") or row.get("conversations")
    for turn in turns if isinstance(turns, list) else []:
        match turn:
            case {"from": str(who), "value": str(text)} if who in _USERS:
                return text
            case {"role": str(who), "content": str(text)} if who in _USERS:
                return text
    return None
