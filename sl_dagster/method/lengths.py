"""Lengths that texts name: "at least 2,000 words", "three pages", 三千字左右, 字数在5000以内.

The one finder of the project. Seeds and self-made instructions that name a length are told apart by
it, a woven query is checked for a second one, outlines and benchmarks are read and scaled by it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from sl_dagster.method.numerals import (
    Numeral,
    folded,
    in_same_unit,
    is_chinese,
    numerals_in,
    rewritten,
)

Unit = Literal["words", "characters", "pages", "paragraphs", "sentences"]
_UNITS: dict[str, Unit] = {unit: unit for unit in get_args(Unit)}

# What makes a number a length: what follows it. Chinese counts characters where English counts
# words. The rows of exceptions are words that only begin like a unit: 字节 is a byte.
_EN_UNIT = (
    r"(?:\+|[\s-]*(?:plus|ish)\b)?(?:[\s-]+or\s+(?:so|more|fewer|less))?"
    r"[ \t\u00a0\u2010-\u2013-]*(?:\n[ \t]*)?(?:of\s+)?(?:(?:english|more|total)\s+)?"
    r"(?:(?P<words>(?:chinese\s+)?words?|chinese\s+characters?)|(?P<characters>characters?|chars?)|(?P<pages>pages?)|"
    r"(?P<paragraphs>paragraphs?)|(?P<sentences>sentences?))(?![a-z])"
    r"(?!\s*(?:per|an?|each|every|/)\s*(?:minute|min|second|hour|day|night|week|month|year)\b)"
)
_ZH_UNIT = (
    r"(?:\+|[多余来把]|左右的?|以[上内下]的?)?\s*个?(?:英文|英语|中文)?"
    r"(?:(?P<zh_characters>字符)|"
    r"(?P<zh_words>汉字|字(?!节(?![日目约气奏选能庆假])|段(?![落子])|母(?![亲爱子女校性语])|符|"
    r"令(?!人)|诀|方针|真言|口诀|箴言|成语|核心价值)|单词|词(?![汇语条牌典类性根组人曲频库]))|"
    r"(?P<zh_pages>页(?![码面数]))|"
    r"(?P<zh_paragraphs>自然段|段落|段话|段文字)|(?P<zh_sentences>句话))"
)
_UNIT = re.compile(f"(?:{_EN_UNIT})|(?:{_ZH_UNIT})", re.IGNORECASE)

# ... or what precedes it, if nothing else is counted.
_EN_LABEL = re.compile(
    r"(?<![a-z])(?:word[\s-]?(?:count|limit|length|target|range|total)s?|number\s+of\s+words|"
    r"(?<!other\s)words\s*(?=[:=])|length\s*(?:\(\w+\)\s*)?(?=[:=]))"
    r"(?:[\s:=*_()~≈<>≤≥±-]|(?:of|is|are|should|must|shall|will|be|to|an?|the|set|at|from|max|"
    r"maximum|min|minimum|about|around|approximately|approx|roughly|nearly|over|under|below|above|"
    r"within|between|up|least|most|no|not|more|less|fewer|than|exceed|target|required|"
    r"requirement|limit|range|words)(?![a-z])\.?)*$",
    re.IGNORECASE,
)
_ZH_LABEL = re.compile(r"(?:字数|词数|字符数|篇幅|长度|全文|正文)[^，。、,.;!?\n\d第]{0,10}$")
_AFTER_LABEL = re.compile(
    r"\+?[多余]?\s*(?:左右|上下|以[内上下]|之[内间]|内|即可|为[宜佳]|起|or\s+(?:so|more|fewer|less))?"
    r"(?:的|\s)*(?:[^\w\s]|\n|$)"
)
_MIN_AFTER_LABEL = 20  # "Length: 5." counts something else

# How a range is said. "and" joins its ends after "between" only.
_TO = re.compile(r"\s*(?:-|–|—|−|~|～|to|or|through|and|至|到|和|或)\s*", re.IGNORECASE)
_BETWEEN = re.compile(r"\bbetween\s+(?:\w+\s+)?$|[在介于从][^，。,]{0,4}$", re.IGNORECASE)

# A number here is no length that is asked for: that of a page, of what can be read in a minute, of
# a text that is there, of an idiom.
_NUMBERED = re.compile(
    r"(?<![a-z])(?:pages?|pp?\.|chapters?|sections?|parts?|volumes?|vol\.|questions?|exercise|grade|"
    r"level|step|item|lines?|table|figure|version|room)\s*$",
    re.IGNORECASE,
)
_MAX_NUMBERED = 99  # "each chapter 2,000 words"
_NOT_ASKED_FOR = re.compile(
    r"(?:(?<![a-z])(?:first|last|next|previous|top|following|worth(?:\s+more\s+than)?|"
    r"vocabulary\s+of(?:\s+\w+)?)\s+|第\s*(?:[\d一二三四五六七八九十百千两]+\s*[至到~-]\s*)?|(?<![睡饭之以目])前\s*|"
    r"每(?:天|日|分钟|小时|秒|周|月|年)[^，。,;]{0,4}|词汇量[^，。,;]{0,6})$",
    re.IGNORECASE,
)
_IDIOM = re.compile("千字文(?![章学案稿本字言体艺])|[万百]字[符纹令]")
_IN = re.compile(r"\bin\s+(?:just\s+|only\s+)?$", re.IGNORECASE)
_SEEN_BEFORE = 80  # characters before a number that are looked at

_MIN_CHARACTERS = 50  # fewer are people: "a play with twelve characters"
_MIN_ZH_WORDS = 10  # fewer are a way of speaking: 三个字


@dataclass(frozen=True)
class Length:
    """A length that a text names.

    Attributes:
        start, end: its place, the number and its unit.
        text: the same, as it stands there.
        unit: what is counted; Chinese characters count as words.
        numerals: the number, or the two ends of a range, where they stand.
    """

    start: int
    end: int
    text: str
    unit: Unit
    numerals: tuple[Numeral, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """What the numerals amount to; nothing where the text says it but roughly."""
        values = [numeral.value for numeral in self.numerals]
        return tuple(value for value in values if value is not None)


def lengths_in(text: str) -> list[Length]:
    """The lengths that a text names, in order.

    Numbers may be in digits or in words of English or Chinese; the unit may follow the number, or
    a label such as "word count:" or 字数 precede it. Passed over are numbers of pages and chapters
    (page 3, 第三页), ways of speaking ("in one word", 三个字), and speeds ("60 words per minute").
    """
    searched, numerals = folded(text), numerals_in(text)
    found: list[Length] = []
    place = 0
    while place < len(numerals):
        group = _group(searched, numerals[place : place + 2])
        length = _length(text, searched, group)
        if length is None and len(group) == 2:
            group = group[:1]
            length = _length(text, searched, group)
        if length and _is_asked_for(searched, length):
            found.append(length)
        place += len(group)
    return found


def _group(text: str, numerals: list[Numeral]) -> tuple[Numeral, ...]:
    """Both numerals if they are the ends of a range, and otherwise the first."""
    if len(numerals) == 2:
        first, second = in_same_unit(*numerals), numerals[1]
        unit = _UNIT.match(text, first.end)
        joined = _TO.fullmatch(text, unit.end() if unit else first.end, second.start)
        together = joined and joined[0].strip().lower() in ("and", "和")
        before, low, high = _before(text, first.start), first.value or 0, second.value or 0
        # "Chapter 2 - 500 words" is no range.
        numbered = high > _MAX_NUMBERED and _NUMBERED.search(before)
        if joined and low < high and not numbered and (not together or _BETWEEN.search(before)):
            return first, second
    return (numerals[0],)


def _length(text: str, searched: str, group: tuple[Numeral, ...]) -> Length | None:
    """The numerals as a length, if they are one by what follows or precedes them."""
    start, end = group[0].start, group[-1].end
    if match := _UNIT.match(searched, end):
        end, unit = match.end(), str(match.lastgroup).removeprefix("zh_")
        return Length(start, end, text[start:end], _UNITS[unit], group)
    before = _before(searched, start)
    label = _EN_LABEL.search(before) or _ZH_LABEL.search(before)
    value = group[-1].value
    if label and _AFTER_LABEL.match(searched, end) and (value or 0) >= _MIN_AFTER_LABEL:
        start -= len(before) - label.start()
        return Length(start, end, text[start:end], "words", group)
    return None


def _is_asked_for(text: str, length: Length) -> bool:
    """Whether a number and its unit say how long a text is to be."""
    first, last = length.numerals[0], length.numerals[-1]
    before, said, value = _before(text, first.start), text[last.start : last.end], last.value
    if _NOT_ASKED_FOR.search(before) or _IDIOM.match(text, last.start):
        return False
    if value is not None and value <= _MAX_NUMBERED and _NUMBERED.search(before):
        return False
    if value is None:
        large = re.search("[十百千万]|hundred|thousand|dozen", said, re.IGNORECASE)
        return bool(length.unit not in ("words", "characters") or large or _IN.search(before))
    if length.unit == "characters":
        return value >= _MIN_CHARACTERS
    if is_chinese(said):
        ten = said == "十" and text[last.end] != "个"
        return not ten and value >= (_MIN_ZH_WORDS if length.unit == "words" else 2)
    if length.unit == "words":
        return value > 1
    # "a one-sentence summary", but not "in one sentence"
    return value > 1 or said.isdecimal() or length.unit == "pages" or text[last.end] == "-"


def _before(text: str, place: int) -> str:
    return text[max(0, place - _SEEN_BEFORE) : place]


def length_named_in(text: str) -> str | None:
    """The words with which a text first names a length, such as "500 words" or "三千字"."""
    found = lengths_in(text)
    return found[0].text if found else None


def scaled_words(text: str, words: Iterable[int], factor: float) -> str:
    """The text with all lengths in words that it names multiplied and rounded, at least to 1.

    Args:
        text: that asks for a length.
        words: the numbers that it must name, as the length or as the ends of a range.
        factor: to multiply by.

    Raises:
        ValueError: the text names another length or none, or it counts pages besides.
    """
    lengths = lengths_in(text)
    in_words = [length for length in lengths if length.unit == "words"]
    named = {number for length in in_words for number in length.numbers}
    if not named.issuperset(words):
        found = ", ".join(repr(length.text) for length in lengths) or "none"
        asked = " and ".join(map(str, words))
        raise ValueError(f"its wording does not name the length {asked}; found: {found}")
    if pages := next((length.text for length in lengths if length.unit == "pages"), None):
        raise ValueError(f"its wording also counts pages: {pages!r}")
    return rewritten(text, [one for length in in_words for one in length.numerals], factor)
