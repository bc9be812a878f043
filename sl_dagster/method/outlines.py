"""Outlines of texts: their sections, and which outlines can be written to (plan-then-write).

The baseline is AgentWrite's (arXiv 2408.07055): the model plans a text and then writes it section
by section. Reading what it planned, and judging what it makes of it, belongs here.
"""

import re
from dataclasses import dataclass
from typing import Literal

from sl_dagster.method.commentary import Cut
from sl_dagster.method.filters import CutOff, Preset, cut_off
from sl_dagster.method.language import Language, is_written_in
from sl_dagster.method.lengths import lengths_in
from sl_dagster.method.repetition import repeats_itself
from sl_dagster.method.responses import response_in

OutlineDropReason = (
    CutOff
    | Literal["no_outline", "one_section", "many_sections", "repeated_section", "wrong_language"]
)
SectionDropReason = CutOff | Literal["empty_section", "repetition"]

_HAN = "[零一二三四五六七八九十百]{1,4}"
_EN_NUMBER = (
    r"(?:(?:twenty|thirty|forty|fifty)[\s-]?)?(?:one|two|three|four|five|six|seven|eight|nine)|"
    r"ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|twenty|thirty|forty|fifty"
)
_ROMAN = r"(?:(?=[IVXLC])(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})|[Ⅰ-Ⅻⅰ-ⅻ])(?![A-Za-z])"
_NUMBER = rf"(?:\d{{1,3}}|{_ROMAN}|(?:{_EN_NUMBER})\b|{_HAN})"
_EN_LABEL = (
    "section|chapter|part|paragraph|step|act|scene|stage|phase|episode|lesson|unit|module|volume|"
    "book|stanza|verse|point|topic|entry|letter|day|week"
)
_ZH_LABEL = "部分|阶段|单元|环节|自然段|[章节段篇幕回卷场集步课讲点天日周]"
_ZH_LABEL_BEFORE = "步骤|章节|部分|场景|阶段|片段|情节|要点|段落|单元|环节|主题"
_AFTER_LETTER = r"\s*(?:[.):](?=\s|[^\x00-\x7f])|[）：、．])"
# How a section's line begins. Where several fit, as with "I." and "C.", that of the first counts
# whose lines follow.
_MARKS = {
    "label": re.compile(
        rf"[\[【《(（]?(?:(?P<english>{_EN_LABEL})\s*{_NUMBER}(?!\w)|"
        rf"第\s*{_NUMBER}\s*(?:(?P<chinese>{_ZH_LABEL})|(?=[，,、：:]))|"
        rf"(?P<before>{_ZH_LABEL_BEFORE})\s*{_NUMBER}(?=[\s.:：、)）】\]]))"
        r"\s*[\]】》.,:：、，)）—–-]*\s*",
        re.IGNORECASE,
    ),
    "number": re.compile(
        r"(?:[(（\[【]\d{1,3}[)）\]】]|\d{1,3}(?:\s*[.．、:：)）\]|/](?!\d)|\s*[-–—]\s+(?!\d)|"
        r"\ufe0f?\u20e3))\s*"
    ),
    "sign": re.compile("[\u2460-\u249b\u24ea-\u24ff\u2776-\u2793\u3220-\u3229\u3280-\u3289]\\s*"),
    "han": re.compile(rf"(?:[(（]{_HAN}[)）]|{_HAN}(?:[.．、:：]|\u3000))\s*"),
    "roman": re.compile(rf"(?:[(（]{_ROMAN}[)）]|{_ROMAN}{_AFTER_LETTER})\s*", re.IGNORECASE),
    "letter": re.compile(rf"(?:[(（][A-Za-z][)）]|[A-Za-z]{_AFTER_LETTER})\s*"),
    "bullet": re.compile(r"(?:[-*+–—](?:\s+\[[ xX]?\])?\s+|[•·◦▪▫■□◆◇○●►▶➤→✓✔☐☑★☆‣⁃※◎∙]\s*)"),
}
_QUOTE_OR_CELL = re.compile(r"^\s*[>|]\s*|\s*\|\s*$")  # a line of a quotation or of a table
_HEADING = re.compile(r"(#{1,6})\s+")
_BOLD = re.compile(r"\*\*|__")
_ITALIC = re.compile(r"^[*_](?=\S)|(?<=\S)[*_]$")
_ESCAPE = re.compile(r"\\(?=[.)\]\-*#])")
# "Sure! Here is the introduction:", "Below is the next section of the essay:", 下面是第二部分：
_HANDED_OVER = re.compile(
    r"\W*(?:(?:sure|certainly|of course|absolutely)\b[^\n]{0,40}?)?"
    r"(?:here(?:['’]s| is)|below is|this is|the following is)\b[^.!?:\n]*"
    r"\b(?:section|part|introduction|conclusion)\b[^.!?:\n]*:\W*\n"
    r"|\W*(?:好的\W*)?(?:以下|下面|这)(?:就?是|为)[^。：:\n]*"
    r"(?:部分|章节|段落|引言|开头|结尾|结论)[^。：:\n]*[：:]\W*\n",
    re.IGNORECASE,
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


@dataclass(frozen=True)
class _Line:
    """A line of an outline.

    Attributes:
        text: without decoration.
        indentation: in characters.
        marks: with which it may begin: each kind's wording, and the text after it.
    """

    text: str
    indentation: int
    marks: dict[str, tuple[str, str]]

    def has(self, kind: str, indentation: int) -> bool:
        """Whether it begins with such a mark, and no deeper."""
        return kind in self.marks and self.indentation <= indentation


def parse_outline(outline: str) -> list[Section]:
    """The sections of an outline, as far as their lines have marks of their own.

    A mark is a number (Arabic, Chinese or Roman, in a circle, a letter), bare or in words such as
    "Step 2:", "Chapter Twelve" and "第二幕：", or a bullet; where there is none, a heading or bold
    type. The first mark that returns decides what a section's line looks like; what stands below
    it, bullets of its own for example, belongs to the section. What stands before the first section
    is left out, and so is what follows the last one after a blank line, unless the other sections
    have as many paragraphs.
    """
    lines = [_read_line(line) for line in outline.splitlines()]
    mark = _mark_of_sections(lines)
    if mark is None:
        return []
    sections: list[list[str]] = []
    for line in lines:
        if line.has(*mark):
            sections.append([line.marks[mark[0]][1]])
        elif sections:
            sections[-1].append(next((rest for _, rest in line.marks.values()), line.text))
    paragraphs = [_paragraphs(section) for section in sections]
    most = max((len(section) for section in paragraphs[:-1]), default=1)
    paragraphs[-1] = paragraphs[-1][: max(1, most)]
    texts = [" ".join(section) for section in paragraphs]
    return [Section(text, _words_in(text)) for text in texts if text]


def _paragraphs(lines: list[str]) -> list[str]:
    """Lines that belong together as one, where blank lines part them."""
    found = [""]
    for line in lines:
        if line:
            found[-1] = f"{found[-1]} {line}".strip()
        elif found[-1]:
            found.append("")
    return [paragraph for paragraph in found if paragraph]


def _read_line(line: str) -> _Line:
    indentation = len(line) - len(line.lstrip())
    text = _ESCAPE.sub("", _QUOTE_OR_CELL.sub("", line)).strip()
    heading = _HEADING.match(text)
    text = text[heading.end() :] if heading else text
    bold = _BOLD.match(text)
    text = _ITALIC.sub("", _BOLD.sub("", text).strip()).strip()
    marks = _marks(text)
    if not marks and heading:
        marks = {heading[1]: (text, text)}
    elif not marks and bold:
        marks = {"bold": (text, text)}
    return _Line(text, indentation, marks)


def _marks(text: str) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for kind, pattern in _MARKS.items():
        if match := pattern.match(text):
            rest = _ITALIC.sub("", text[match.end() :])
            if kind == "bullet":  # "- 1. The bridge" has two marks.
                rest = next((inner for _, inner in _marks(rest).values()), rest)
            # Chapters and their sections are marks of two kinds, and so are 一、 and （一）.
            bracket = "()" if match[0][0] in "(（[【" else ""
            label = match[match.lastgroup].lower() if match.lastgroup else bracket
            found[f"{kind} {label}".strip()] = (match[0].strip(), rest)
    return found


def _mark_of_sections(lines: list[_Line]) -> tuple[str, int] | None:
    """The kind of mark with which sections begin, and how deep it may stand.

    It is the first that returns. Headings and bold type count where nothing else does, and where
    bullets, or numbers that begin anew, stand below them.
    """
    found = dict.fromkeys((kind, line.indentation) for line in lines for kind in line.marks)
    plain = [mark for mark in found if not _is_decoration(mark[0])]
    returning = [mark for mark in plain if len(_wordings(lines, mark)) > 1]
    decorated = [
        mark for mark in found if _is_decoration(mark[0]) and len(_wordings(lines, mark)) > 1
    ]
    if not returning:
        return next(iter([*decorated, *plain]), None)
    wordings = _wordings(lines, returning[0])
    if len(set(wordings)) < len(wordings):
        above = [mark for mark in decorated if _lists_below(lines, mark) > 1]
        return next(iter(above), returning[0])
    return returning[0]


def _is_decoration(kind: str) -> bool:
    return kind == "bold" or kind.startswith("#")


def _wordings(lines: list[_Line], mark: tuple[str, int]) -> list[str]:
    """The marks of the lines that such a mark makes the beginnings of sections."""
    return [line.marks[mark[0]][0] for line in lines if line.has(*mark)]


def _lists_below(lines: list[_Line], mark: tuple[str, int]) -> int:
    """How many of the headings have a list below them."""
    count, open_heading = 0, False
    for line in lines:
        if line.has(*mark):
            open_heading = True
        elif open_heading and any(not _is_decoration(kind) for kind in line.marks):
            count, open_heading = count + 1, False
    return count


def _words_in(text: str) -> float | None:
    """The last number of words that a section's text names; the middle of a range."""
    named = [length.numbers for length in lengths_in(text) if length.unit == "words"]
    numbers = [numbers for numbers in named if numbers]
    return sum(numbers[-1]) / len(numbers[-1]) if numbers else None


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
        or has a bullet), ``one_section``, ``many_sections``, ``repeated_section``,
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
        return "many_sections"
    if len(set(sections)) < len(sections):
        return "repeated_section"
    return None if is_written_in(outline, language) else "wrong_language"


def section_in(output: str, preset: Preset) -> tuple[str, Cut]:
    """The section in what a model wrote, and its remarks about the writing, which are cut off.

    As ``responses.response_in``; but who writes section by section hands sections over ("Here is
    the introduction:"), and no whole text.

    Args:
        output, preset: see ``responses.response_in``.
    """
    found = None if preset == "reference" else _HANDED_OVER.match(output)
    section, cut = response_in(output[found.end() :] if found else output, preset)
    return section, Cut(before=found[0].strip()) + cut if found else cut


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
    return "repetition" if repeats_itself(text) else None
