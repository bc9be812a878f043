"""Reading JSON lines of any size, one object per line in UTF-8, and checking the objects.

What is no text in them (wrong bytes here and there, lone surrogates, control characters) is
replaced, see ``plain_text``, and counted in a warning.
"""

import codecs
import json
import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pydantic import BaseModel, ValidationError

from sl_dagster.errors import UserError
from sl_dagster.experiment import describe_problems
from sl_dagster.experiment.base import shortened
from sl_dagster.method.plain_text import REPLACEMENT, plain_content

STDIN = "-"
_WRONG_BYTES = 0.1  # more of them among the characters are another encoding
_ZERO_BYTES = 0.2  # more of them are the other halves of characters of UTF-16
_log = logging.getLogger(__name__)

Model = TypeVar("Model", bound=BaseModel)


def open_lines(file: str) -> BinaryIO:
    """A file for reading, or standard input for ``-``.

    Raises:
        UserError: it cannot be opened.
    """
    if file == STDIN:
        return sys.stdin.buffer
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise UserError(f"{shortened(file)}: cannot be read: {error.strerror}") from None


def name_of(file: str) -> str:
    """What messages call a file."""
    return "standard input" if file == STDIN else file


def numbered_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that are not empty, each with its number, the first being 1."""
    for number, line in enumerate(lines, start=1):
        # Some editors begin a file with a byte order mark.
        line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        if line.strip():
            yield number, line


def parse_object(line: bytes) -> dict[str, Any]:
    """The object that a line holds, its strings as ``plain_text``.

    Raises:
        ValueError: saying what is wrong with the line, so that "line 3: ..." is a sentence.
    """
    text = decoded(line)
    try:
        content = plain_content(parse_json(text))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"is not JSON ({error.msg}, character {error.colno}): write one object in each line"
        ) from None
    except ValueError as error:
        raise ValueError(f"is no record ({error})") from None
    if not isinstance(content, dict):
        raise ValueError("is no record (it is not a JSON object)")
    return content


def parse_json(text: str) -> Any:
    """What a JSON text says.

    Raises:
        json.JSONDecodeError: it is no JSON.
        ValueError: it is more than can be read, saying why.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        raise ValueError("a number in it has thousands of digits") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def decoded(content: bytes) -> str:
    """Bytes of UTF-8 as text, a few wrong ones replaced.

    Raises:
        ValueError: so many are wrong that it is another encoding, which is named if it is known.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or (
        content.count(0) > _ZERO_BYTES * len(content)
    ):
        raise ValueError(_in_other_encoding("UTF-16", "UTF-16"))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        text = content.decode("utf-8", "replace")
        if text.count(REPLACEMENT) > _WRONG_BYTES * len(text):
            if _is_gbk(content):
                raise ValueError(_in_other_encoding("GBK", "GB18030")) from None
            why = f"is not UTF-8 text ({error.reason}, byte {error.start + 1})"
            raise ValueError(why) from None
        return text


def _in_other_encoding(name: str, codec: str) -> str:
    return f"is {name} text, not UTF-8; convert the file: iconv -f {codec} -t UTF-8 FILE > NEW_FILE"


def _is_gbk(content: bytes) -> bool:
    """Whether most of what is no ASCII is a Chinese character in GBK's extension GB 18030."""
    try:
        text = content.decode("gb18030")
    except UnicodeDecodeError:
        return False
    others = [sign for sign in text if not sign.isascii()]
    return sum("\u3000" <= sign <= "\u9fff" for sign in others) > len(others) / 2


def numbered_objects(lines: Iterable[bytes], file: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file, each with the number of its line.

    Raises:
        UserError: naming the first line that holds none.
    """
    replaced: dict[str, int] = {}
    for number, line in numbered_lines(lines):
        try:
            content = parse_object(line)
        except ValueError as error:
            raise UserError(f"{name_of(file)}, line {number}: {error}") from None
        if count := str(content).count(REPLACEMENT):
            replaced[f"line {number}"] = count
        yield number, content
    warn_of_replaced(name_of(file), replaced)


def warn_of_replaced(file: str, counts: dict[str, int]) -> None:
    """Log how many characters of a file were no text, by where they stand, in order."""
    if counts:
        _log.warning(
            "%s: %d characters are no text and have been replaced by %s, the first in %s",
            file, sum(counts.values()), REPLACEMENT, next(iter(counts)),
        )  # fmt: skip


def checked_lines(file: str, kind: type[Model], hint: str) -> Iterator[tuple[int, Model]]:
    """The objects of a file as models, each with the number of its line.

    Args:
        file: its path, or ``-`` for standard input.
        kind: the model.
        hint: what was expected.

    Raises:
        UserError: the file cannot be read, or naming the first line that is no such object.
    """
    with open_lines(file) as lines:
        for number, content in numbered_objects(lines, file):
            yield number, checked(kind, content, f"{name_of(file)}, line {number}", hint)


def checked(kind: type[Model], content: Any, where: str, hint: str) -> Model:
    """An object of a file as the model that it must be.

    Args:
        kind: the model.
        content: the object.
        where: it stands, such as "seeds.jsonl, line 3".
        hint: what was expected.

    Raises:
        UserError: saying where, which fields are wrong, and the hint.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        problem = describe_problems(error)
        raise UserError(f"{where}: {problem} ({hint})") from None
