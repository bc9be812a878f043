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
_WINDOWS_SIGNS = 3  # fewer may be bytes that were hurt
# Letters with accents, quotation marks, dashes and the like: what Windows-1252 is used for.
_WESTERN = (
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüŒœŠšŽž‘’‚“”„«»‹›–—…•·°§€£¡¿\u00a0"
)
_NO_TEXT = {
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"PK\x03\x04": "a ZIP file (or one of an office program)",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF file",
}
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


class Replaced:
    """Counts the characters of a file that were no text, by where they stand."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._first = ""
        self._count = 0

    def look_at(self, where: str, content: object) -> None:
        """Count those of a record, or of a text."""
        if count := str(content).count(REPLACEMENT):
            self._first = self._first or where
            self._count += count

    def warn(self) -> None:
        """Log how many there were, if there was one."""
        if self._count:
            _log.warning(
                "%s: %d characters are no text and have been replaced by %s, the first in %s",
                self._file, self._count, REPLACEMENT, self._first,
            )  # fmt: skip


def parse_object(line: bytes) -> dict[str, Any]:
    """The object that a line holds, its strings as ``plain_text``.

    Raises:
        ValueError: saying what is wrong with the line, so that "line 3: ..." is a sentence.
    """
    text = decoded(line)
    try:
        content = parse_json(text)
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
    """What a JSON text says, its strings as ``plain_text``.

    Raises:
        json.JSONDecodeError: it is no JSON.
        ValueError: it is more than can be read, or names something twice, saying which.
    """
    try:
        content = json.loads(text, object_pairs_hook=_object)
    except (json.JSONDecodeError, _MistakeError):
        raise
    except ValueError:
        raise ValueError("a number in it has thousands of digits") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return plain_content(content)


class _MistakeError(ValueError):
    """What is wrong is said, and what to do."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _MistakeError(f"{shortened(twice)!r} is given twice in it: remove one of the two")
    return content


def decoded(content: bytes) -> str:
    """Bytes of UTF-8 as text, a few wrong ones replaced.

    Raises:
        ValueError: so many are wrong that it is another encoding, or no text at all; which is
            named if it is known.
    """
    for beginning, kind in _NO_TEXT.items():
        if content.startswith(beginning):
            raise ValueError(f"is {kind}, not text: unpack or convert it first")
    if 0 in content and not content.strip(b"\0\r\n"):
        raise ValueError("has only zero bytes, as a crash may leave them: remove them")
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise ValueError(_in_other_encoding("UTF-32", "UTF-32"))
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or (
        content.rstrip(b"\0").count(0) > _ZERO_BYTES * len(content)
    ):
        raise ValueError(_in_other_encoding("UTF-16", "UTF-16"))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        text = content.decode("utf-8", "replace")
        if _is_windows(content, text):
            raise ValueError(_in_other_encoding("Windows-1252 or Latin-1", "CP1252")) from None
        if text.count(REPLACEMENT) > _WRONG_BYTES * len(text):
            if _is_gbk(content):
                raise ValueError(_in_other_encoding("GBK", "GB18030")) from None
            why = f"is not UTF-8 text ({error.reason}, byte {error.start + 1})"
            raise ValueError(why) from None
        return text


def _in_other_encoding(name: str, codec: str) -> str:
    return f"is {name} text, not UTF-8; convert the file: iconv -f {codec} -t UTF-8 FILE > NEW_FILE"


def _is_windows(content: bytes, text: str) -> bool:
    """Whether what is no ASCII is what West European texts have in one byte each.

    Args:
        content: the bytes.
        text: what they are as UTF-8.
    """
    wrong = text.count(REPLACEMENT)
    if wrong < _WINDOWS_SIGNS or wrong < sum(not sign.isascii() for sign in text):
        return False
    signs = content.decode("cp1252", "replace")
    return all(sign.isascii() or sign in _WESTERN for sign in signs)


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
    replaced = Replaced(name_of(file))
    for number, line in numbered_lines(lines):
        try:
            content = parse_object(line)
        except ValueError as error:
            raise UserError(f"{name_of(file)}, line {number}: {error}") from None
        replaced.look_at(f"line {number}", content)
        yield number, content
    replaced.warn()


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
