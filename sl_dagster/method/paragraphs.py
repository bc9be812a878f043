"""Splitting texts into paragraphs for the two stages of an extension (paper, section 3.2)."""

import re

# What stands between them where nothing else is known.
PARAGRAPH_BREAK = "\n\n"
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")
_LINE_END = re.compile(r"\n+")


def split_paragraphs(text: str) -> list[str]:
    """Split a text at its blank lines, or at its line ends when that gives two parts or fewer.

    Parts without a visible character are left out; line ends of any kind count as one.
    """
    text = _normal(text)
    return [text[begin:end] for begin, end in _places(text)]


def first_half(text: str) -> str:
    """The first half of a text's paragraphs, rounded down, but at least one.

    What the Extender is given in stage 1. What stands between the paragraphs stays as it is.
    """
    return _beginning(text, 1, 2)


def first_two_thirds(text: str) -> str:
    """The first two thirds of a text's paragraphs, rounded down, but at least one.

    What is kept of the stage-1 output as the beginning of the stage-2 turn: the last third was
    written without knowing how the response goes on. What stands between the paragraphs stays.
    """
    return _beginning(text, 2, 3)


def _beginning(text: str, part: int, whole: int) -> str:
    text = _normal(text)
    places = _places(text)
    return text[: places[max(1, len(places) * part // whole) - 1][1]] if places else ""


def _normal(text: str) -> str:
    """With one kind of line ends, and without white space around."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _places(text: str) -> list[tuple[int, int]]:
    """Where the paragraphs begin and end."""
    places = _between(_BLANK_LINES, text)
    return places if len(places) > 2 else _between(_LINE_END, text)


def _between(separator: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    places, begin = [], 0
    for found in separator.finditer(text):
        places.append((begin, found.start()))
        begin = found.end()
    places.append((begin, len(text)))
    return [(begin, end) for begin, end in places if text[begin:end].strip()]
