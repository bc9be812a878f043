"""Telling the method's two languages apart."""

import re
from functools import cache
from typing import TYPE_CHECKING

from sl_dagster.method.filters import Language

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

_CODE_BLOCK = re.compile(r"^```.*?(?:^```|\Z)", re.MULTILINE | re.DOTALL)


def detect_language(text: str) -> Language:
    """Which of the two languages a text is written in, whatever it quotes from the other.

    Fenced code blocks do not count, unless there is nothing else. A text without letters, and one
    in a language that uses the Latin alphabet, is taken for English.
    """
    return _identify(_prose(text) or text)


def is_written_in(text: str, language: Language) -> bool:
    """Whether a text is written in this language; code alone is written in any."""
    prose = _prose(text)
    return not prose or _identify(prose) == language


def _prose(text: str) -> str:
    return _CODE_BLOCK.sub("\n", text).strip()


def _identify(text: str) -> Language:
    return _identifier().classify(text)[0]  # type: ignore[return-value]


@cache
def _identifier() -> "LanguageIdentifier":
    # Imported late: the model takes half a second to load, and most runs of the command line
    # detect nothing.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(["en", "zh"])
    return identifier
