"""Outlines of texts: their sections, and which outlines can be written to (plan-then-write).

The baseline is AgentWrite's (arXiv 2408.07055): the model plans a text and then writes it section
by section. Reading what it planned, and judging what it makes of it, belongs here.
"""

import re
from dataclasses import dataclass
from typing import Literal

from sl_dagster.method.filters import CutOff, Language, cut_off, has_repeated_ngram
from sl_dagster.method.language import is_written_in

OutlineDropReason = (
    CutOff
    | Literal[
        "no_outline", "one_section", "too_many_sections", "repeated_section", "wrong_language"
    ]
)
SectionDropReason = CutOff | Literal["empty_section", "repetition"]

_HAN = "[一二三四五六七八九十百]{1,4}"
_ORDINAL = r"(?:\d{1,3}|[ivxl]{1,5}|one|two|three|four|five|six|seven|eight|nine|ten)"
# How a section's line begins. The first that fits counts: "Part 1. ..." is no bullet or number.
_MARKS = {
    "label": re.compile(
        rf"(?:(?:section|chapter|part|paragraph)\s+{_ORDINAL}\b|"
        rf"第\s*(?:\d{{1,3}}|{_HAN})\s*(?:部分|章|节|段|篇))\s*[.:：、)）—–-]*\s*",
        re.IGNORECASE,
    ),
    "number": re.compile(r"(?:[(（]\d{1,3}[)）]|\d{1,3}\s*[.．、:：)）](?!\d))\s*"),
    "han": re.compile(rf"(?:[(（]{_HAN}[)）]|{_HAN}[.．、:：])\s*"),
    "roman": re.compile(r"[IVXL]{1,5}[.)]\s+"),
    "bullet": re.compile(r"[-*+•·–—]\s+"),
}
_DECORATION = re.compile(r"#{1,6}\s+|\*\*|__")  # headings and bold type in Markdown
_COUNT = r"(\d[\d,]*)\s*(?:(?:-|–|—|~|～|to|至|到)\s*(\d[\d,]*)\s*)?"
_WORDS = re.compile(
    rf"{_COUNT}-?(?:words?\b|个?[字词])|(?:word count|字数)\s*[:：]?\s*{_COUNT}", re.IGNORECASE
)


@dataclass(frozen=True)
class Section:
    """A section of an outline.

    Attributes:
        text: what the outline says about it, in one line, without its number.
        words: how many words it should have, if the outline says; the middle of a range.
    """

    text: str
    words: float | None = None


def parse_outline(outline: str) -> list[Section]:
    """The sections of an outline, as far as their lines are numbered or have bullets.

    Numbers may be Arabic, Chinese or Roman, bare or in words such as "Section 2:" and "第二部分：",
    with or without Markdown. The first such line decides what a section's line looks like; what
    stands below it, bullets of its own for example, belongs to the section. What stands before the
    first section is left out, and so is what follows the last one after a blank line.
    """
    first: tuple[str, int] | None = None
    sections: list[list[str]] = []
    for line in outline.splitlines():
        mark, rest = _marked(line)
        first = first or mark
        if first and mark and mark[0] == first[0] and mark[1] <= first[1]:
            sections.append([rest])
        elif sections:
            sections[-1].append(rest)
    if sections and "" in (last := sections[-1])[1:]:
        del last[last.index("", 1) :]
    texts = [" ".join(filter(None, lines)) for lines in sections]
    return [Section(text, _words_in(text)) for text in texts if text]


def _marked(line: str) -> tuple[tuple[str, int] | None, str]:
    """The kind of the line's mark with its indentation, if it has one, and the rest of the line."""
    indentation = len(line) - len(line.lstrip())
    rest = _DECORATION.sub("", line).strip()
    for kind, pattern in _MARKS.items():
        if found := pattern.match(rest):
            rest = rest[found.end() :]
            # "- 1. The bridge" has two marks.
            return (kind, indentation), _marked(rest)[1] if kind == "bullet" else rest
    return None, rest


def _words_in(text: str) -> float | None:
    """The last number of words that a section's text names; the middle of a range."""
    found = [[int(n.replace(",", "")) for n in groups if n] for groups in _WORDS.findall(text)]
    return sum(found[-1]) / len(found[-1]) if found else None


def outline_drop_reason(
    outline: str, language: Language, *, finish_reason: str, max_sections: int
) -> OutlineDropReason | None:
    """Say why no text can be written to an outline, or None.

    Args:
        outline: as the model wrote it.
        language: of the instruction.
        finish_reason: why the generation ended.
        max_sections: an outline with more of them has gone astray, or costs too much.

    Returns:
        ``truncated`` or ``looping`` (see ``filters.cut_off``), ``no_outline`` (no line is numbered
        or has a bullet), ``one_section``, ``too_many_sections``, ``repeated_section``,
        ``wrong_language``, or None.
    """
    if reason := cut_off(finish_reason):
        return reason
    sections = [section.text for section in parse_outline(outline)]
    if not sections:
        return "no_outline"
    if len(sections) == 1:
        return "one_section"
    if len(sections) > max_sections:
        return "too_many_sections"
    if len(set(sections)) < len(sections):
        return "repeated_section"
    return None if is_written_in(outline, language) else "wrong_language"


def section_drop_reason(
    section: str, text: str, language: Language, *, finish_reason: str
) -> SectionDropReason | None:
    """Say why a text cannot become good any more after this section of it, or None.

    Args:
        section: as the model wrote it.
        text: all sections so far, this one included; what it says twice stays said twice.
        language: of the instruction.
        finish_reason: why the section's generation ended.
    """
    if reason := cut_off(finish_reason):
        return reason
    if not section.strip():
        return "empty_section"
    return "repetition" if has_repeated_ngram(text, language) else None
