"""Reading the user's own documents: JSON lines with a ``text``, or one text file per document."""

import codecs
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from sl_dagster.errors import UserError
from sl_dagster.experiment.base import shortened
from sl_dagster.inputs.json_lines import Replaced, checked, checked_lines, decoded
from sl_dagster.method.language import Language, detect_language
from sl_dagster.method.plain_text import plain_text

_EXPECTED = (
    "expected a JSON object such as "
    '{"text": "Once upon a time ...", "language": "en"}, or a file with a text'
)


class Document(BaseModel):
    """A text that somebody has written.

    Attributes:
        text: all of it, without surrounding white space.
        language: it is written in; detected if the file does not say.
    """

    # Files of documents have columns of their own, which are nobody's mistake.
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    text: str = Field(min_length=1)
    language: Language | None = None

    @property
    def written_in(self) -> Language:
        """The language that the file says, or that the text is in."""
        return self.language or detect_language(self.text)


def read_documents(paths: Sequence[Path]) -> Iterator[Document]:
    """The documents of several files in order, one at a time.

    Raises:
        UserError: a file cannot be read, or naming the line that is no document.
    """
    for path in paths:
        if path.suffix == ".jsonl":
            for _, document in checked_lines(str(path), Document, _EXPECTED):
                yield document
        else:
            yield checked(Document, {"text": _text_of(path)}, str(path), _EXPECTED)


def _text_of(path: Path) -> str:
    try:
        text = decoded(path.read_bytes().removeprefix(codecs.BOM_UTF8))
    except OSError as error:
        raise UserError(f"{shortened(path)}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
    text = plain_text(text.replace("\r\n", "\n").replace("\r", "\n"))
    replaced = Replaced(str(path))
    for number, line in enumerate(text.split("\n"), start=1):
        replaced.look_at(f"line {number}", line)
    replaced.warn()
    return text
