"""Splitting texts into paragraphs for the two stages of an extension (paper, section 3.2)."""

import re

PARAGRAPH_BREAK = "\n\n"
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")


def split_paragraphs(text: str) -> list[str]:
    """Split a text at its blank lines, or at its line ends when that gives two parts or fewer.

    Parts without a visible character are left out; line ends of any kind count as one.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    parts = _BLANK_LINES.split(text)
    if len(parts) <= 2:
        parts = text.split("\n")
    return [part for part in parts if part.strip()]


def first_half(text: str) -> str:
    """The first half of a text's paragraphs, rounded down, but at least one.

    What the Extender is given in stage 1.
    """
    paragraphs = split_paragraphs(text)
    return PARAGRAPH_BREAK.join(paragraphs[: max(1, len(paragraphs) // 2)])


def first_two_thirds(text: str) -> str:
    """The first two thirds of a text's paragraphs, rounded down, but at least one.

    What is kept of the stage-1 output as the beginning of the stage-2 turn: the last third was
    written without knowing how the response goes on.
    """
    paragraphs = split_paragraphs(text)
    return PARAGRAPH_BREAK.join(paragraphs[: max(1, len(paragraphs) * 2 // 3)])
