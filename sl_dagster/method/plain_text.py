"""Text from outside as text that every file, database, page and terminal can hold."""

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_LEVELS = 100  # of lists and objects in each other; records of any data set have a few

# Half of a pair of UTF-16, which UTF-8 cannot write; control characters, which Parquet's readers,
# SQL and terminals take amiss. Tabulators and line ends are text.
_NO_TEXT = re.compile(r"[\ud800-\udfff\x00-\x08\x0e-\x1b\x7f-\x9f]")
# Control characters that count as white space: ends of pages, files, groups, records and lines.
_ENDS = re.compile(r"[\x0b\x0c\x1c-\x1f\x85]")


def plain_text(text: str) -> str:
    """A text in which every character that is none is a replacement character (U+FFFD).

    Replaced are lone surrogates and control characters but tabulators and line ends; what ends a
    page or the like becomes a line end. All other text stays as it is.
    """
    if text.isprintable():
        return text
    return _NO_TEXT.sub(REPLACEMENT, _ENDS.sub("\n", paired(text)))


def plain_content(content: object, levels: int = _LEVELS) -> object:
    """A JSON value, all its strings (keys, too) as ``plain_text``.

    Args:
        content: the value.
        levels: so deep it may be nested.

    Raises:
        ValueError: it is nested deeper.
    """
    if isinstance(content, str):
        return plain_text(content)
    if levels == 0 and isinstance(content, (list, dict)):
        raise ValueError("it is nested too deeply")
    if isinstance(content, list):
        return [plain_content(item, levels - 1) for item in content]
    if isinstance(content, dict):
        return {
            plain_text(str(key)): plain_content(item, levels - 1) for key, item in content.items()
        }
    return content


def paired(text: str) -> str:
    """The text in which two halves beside each other are the character that they mean."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
