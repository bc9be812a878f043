"""Indented listings: code, sessions and examples, as Markdown and reStructuredText have them."""

import re
from collections.abc import Iterable, Iterator

_MARKDOWN_STEP = 4  # columns by which a Markdown listing is further in than the text
_STEP = 2  # and one of reStructuredText, which a directive or two colons introduce
_DIRECTIVE = re.compile(r"\s*\.\. [\w-]*(?:code|literal|doctest|prompt|console)")
_ITEM = re.compile(r"\s*(?:[-*+•]|\d+[.)])\s")


def introduces(text: str) -> bool:
    """Whether something is to follow a line or paragraph: a colon ends it, or it announces code."""
    if text.lstrip().startswith(".. "):  # a directive of reStructuredText
        return _DIRECTIVE.match(text) is not None
    return text.rstrip().endswith((":", "："))


def in_listings(lines: Iterable[str]) -> Iterator[bool]:
    """Say of each line of a text whether it belongs to a listing.

    A listing is what is indented under a line that introduces it, up to the next line that is not.
    A list is none, and a blank line belongs to none.
    """
    edge: int | None = None  # the columns from which on a line belongs to it
    for line in lines:
        indent = len(line) - len(line.lstrip())
        inside = edge is not None and indent >= edge and bool(line.strip())
        if inside and not _ITEM.match(line):
            yield True
            continue
        if line.strip():
            edge = indent + _step(line) if introduces(line) else None
        yield False


def _step(line: str) -> int:
    marked = line.rstrip().endswith("::") or line.lstrip().startswith(".. ")
    return _STEP if marked else _MARKDOWN_STEP
