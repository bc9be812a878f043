"""How much of a text says again what it has said before.

People repeat themselves, too: a fairy tale has its verse, a table its cells, a manual its
commands. So it is not asked whether anything comes twice, but how much does, and what is laid out
in short lines may come again more often than prose.
"""

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby
from operator import itemgetter

import numpy as np

from sl_dagster.method.listings import in_listings, introduces
from sl_dagster.method.scripts import BRAHMIC, HAN, HANGUL, KANA, LETTER_MARKS, SPACED_STOPS, STOPS


class _Layout(IntEnum):
    """How a line is laid out."""

    PROSE = 0
    VERSE = 1
    TABULAR = 2
    LIST = 3


# The share of a text that may have been said before, if all of it is laid out like this. Of 4,000
# human texts, 98 in 100 of every kind stay below a half of it.
_ALLOWED = np.array([0.10, 0.45, 0.30, 0.45])
# A whole paragraph of prose with so many words comes back in nothing that people write; one in
# which somebody speaks, or that introduces what follows it, and a list have to be longer: formulae
# come back, and steps.
_COPIED_PARAGRAPH = 15
_COPIED_FORMULA = 40
# Sentences of this many words that come back word by word, and what share of the text they are; one
# alone has to be longer. What somebody says does not count: in tales the same is asked and answered
# again and again. Nor does what introduces an example, a list or a table, or goes on behind one in
# a small letter, nor what stands in verse, lists or tables each time.
_COPIED_SENTENCE = 8
_COPIED_ALONE = 10
_COPIED_SHARE = 0.02
# A loop says the same three times on end, and fills at least this many units with it.
_LOOP_TURNS = 3
_LOOP_UNITS = 30

# Speech is what is quoted to a third. A line with a symbol for so many words is no prose.
_QUOTED_PART = 3
_WORDS_PER_SYMBOL = 6
# An item of a list with so many words is a paragraph.
_LONG_ITEM = 30
# What fills fewer runs, and less than such a share of a short text, is no habit yet.
_FEW_WINDOWS, _SHORT_PART = 3, 0.2

# A line of a poem or a list; in scripts without spaces it has half as many characters.
_SHORT_LINE = 50

_WIDE = HAN + KANA + BRAHMIC
_WIDE_LETTER = re.compile(f"[{_WIDE}{HANGUL}]")
# An address is one thing, however many words it has: that addresses are alike is no repetition.
_UNIT = re.compile(
    rf"https?://[^\s<>()\[\]]+|[{_WIDE}][{LETTER_MARKS}]*|[^\W_{_WIDE}](?:[^\W_{_WIDE}]|[{LETTER_MARKS}])*"
)
_OTHER_WORD = re.compile(rf"[^\W_{_WIDE}{HANGUL}]+")
_LIST_ITEM = re.compile(r"\s*(?:[-*+•·▪◦‣○●–]\s|\(?\w{1,3}[.)]\s|\(?\d{1,3}[、．）]|[①-⑳])")
_SCRIPTS = {
    "han": re.compile(f"[{HAN}]"),
    "kana": re.compile(f"[{KANA}]"),
    "brahmic": re.compile(f"[{BRAHMIC}]"),
    "hangul": re.compile(f"[{HANGUL}]"),
}
_FENCE = re.compile(r"\s*(```|~~~(?!~))")
_TABULAR = re.compile(r"\s*(?:[|+$>]|\S.*(?: {3,}|\t)\S.*(?: {3,}|\t)\S|[^\w\s]+\s*$)")
_SYMBOL = re.compile(r"[|{}=<>\\]")
_QUOTE = '["“”„«»「」『』]'
_BEGINS_SPEAKING = re.compile(rf"\s*(?:{_QUOTE}|[—–])")
_HAS_QUOTE = re.compile(_QUOTE)
# What is quoted; a quotation may have begun before, or go on behind. Finnish and Swedish begin one
# with the mark that ends it elsewhere.
_QUOTED = re.compile(
    r'"[^"]*(?:"|\Z)|(?:[“„]|(?<![^\s(])”)[^”“]*(?:[”“]|\Z)|«[^»]*(?:»|\Z)|»[^«»]*(?:[«»]|\Z)'
    r"|「[^」]*(?:」|\Z)|『[^』]*(?:』|\Z)|\A[^“„«「『”]*[^\s(“„«「『”][”」』]"
)
_SENTENCE_END = re.compile(
    rf"(?<=[{SPACED_STOPS}])[\"'”’)\]»*_]*\s+|(?<=[{STOPS}])[\"'”’)\]»」』）*_]*\s*"
)


@dataclass(frozen=True)
class _Measure:
    """How long a thing of so many words is in the units of a text.

    Attributes:
        per_word: units that make a word.
        window: units that come twice by chance or habit, if they are fewer.
    """

    per_word: float
    window: int


_BY_SCRIPT = {
    "spaces": _Measure(1.0, 10),
    "hangul": _Measure(0.6, 8),
    "han": _Measure(1.6, 13),
    "kana": _Measure(2.2, 20),
    "brahmic": _Measure(4.0, 40),
}


def repeats_itself(text: str) -> bool:
    """Whether so much of a text has been said before in it that nobody would have written it.

    A unit is a word, or a character of a script that has no spaces between words. True if

    - more than a tenth of its prose is in runs of at least ten words that came before (13 Chinese
      characters, 20 Japanese ones); of verse and lists it may be 45 %, of tables and code 30 %;
    - a paragraph of prose of 15 words or more comes back as it was (40, if somebody speaks in it or
      it introduces what follows it);
    - sentences of eight words or more, but such formulae, come back as they were, stand in prose
      one of the times, and make a fiftieth of the text; if it is one alone, it has ten words;
    - the same is said three times on end over 30 units or more.

    Time and memory grow with the text only: numbers are kept for its units, not the units.
    """
    measure = _measure(text)
    units, layouts = array("q"), array("b")
    paragraphs: set[int] = set()
    copies = _Copies(measure)
    for lines, layout in _blocks(text):
        begin = len(units)
        block = "\n".join(lines)
        is_speech = _is_speech(block)
        for place, sentence in enumerate(_SENTENCE_END.split(block)):
            words = array("q", map(hash, map(itemgetter(0), _UNIT.finditer(sentence))))
            units.extend(words)
            spoken = _is_speech(sentence) or (is_speech and _HAS_QUOTE.search(sentence))
            goes_on = place == 0 and sentence[:1].islower()
            if not (spoken or goes_on or introduces(sentence)):
                copies.look(words, is_prose=layout == _Layout.PROSE)
        written = len(units) - begin
        layouts.frombytes(bytes([layout]) * written)
        is_formula = is_speech or introduces(block) or layout == _Layout.LIST
        least = _COPIED_FORMULA if is_formula else _COPIED_PARAGRAPH
        is_paragraph = layout in (_Layout.PROSE, _Layout.LIST)
        long_enough = written >= least * measure.per_word
        if is_paragraph and long_enough and _was_there(units[begin:], paragraphs):
            return True
    if copies.are_too_many(len(units)):
        return True
    return _runs_repeat(_as_numbers(units, np.int64), _as_numbers(layouts, np.int8), measure)


class _Copies:
    """The sentences of a text that came before in it as they are."""

    def __init__(self, measure: _Measure) -> None:
        self._least = _COPIED_SENTENCE * measure.per_word
        self._least_alone = _COPIED_ALONE * measure.per_word
        self._in_prose: dict[int, bool] = {}
        self._lengths: list[int] = []

    def look(self, words: "array[int]", *, is_prose: bool) -> None:
        """Remember a sentence. It counts if it was there, in prose then or now."""
        if len(words) < self._least:
            return
        number = hash(words.tobytes())
        stood_in_prose = self._in_prose.get(number)
        if stood_in_prose is not None and (is_prose or stood_in_prose):
            self._lengths.append(len(words))
        self._in_prose[number] = is_prose or bool(stood_in_prose)

    def are_too_many(self, units: int) -> bool:
        """Whether nobody would have written them in a text of so many units."""
        is_short_one = len(self._lengths) == 1 and self._lengths[0] < self._least_alone
        return not is_short_one and sum(self._lengths) > _COPIED_SHARE * units


def _is_speech(text: str) -> bool:
    """Whether somebody speaks in it: it begins with a quotation, or a good part of it is one."""
    if _BEGINS_SPEAKING.match(text):
        return True
    if not _HAS_QUOTE.search(text):
        return False
    return _QUOTED_PART * sum(len(found[0]) for found in _QUOTED.finditer(text)) >= len(text)


def _runs_repeat(units: np.ndarray, layouts: np.ndarray, measure: _Measure) -> bool:
    starts, distances = _repeated_windows(units, measure.window)
    if not len(starts):
        return False
    if _loops(starts, distances, measure.window):
        return True
    edges = np.zeros(len(units) + 1, dtype=np.int32)
    np.add.at(edges, starts, 1)
    np.add.at(edges, starts + measure.window, -1)
    said_before = np.cumsum(edges[:-1]) > 0
    if said_before.sum() < min(_FEW_WINDOWS * measure.window, _SHORT_PART * len(units)):
        return False
    repeated = np.bincount(layouts[said_before], minlength=len(_Layout))
    return float((repeated / _ALLOWED).sum()) > len(units)


def _repeated_windows(units: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Where a run of this many units begins that came before, and how far back it last came.

    Runs are compared by 64-bit numbers. Should two that differ have the same, a few words of
    millions count as repeated.
    """
    count = len(units) - size + 1
    if count < 2:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    numbers = np.zeros(count, np.uint64)
    for offset in range(size):
        numbers *= np.uint64(0x9E3779B97F4A7C15)
        numbers += units[offset : offset + count].view(np.uint64)
    order = np.argsort(numbers, kind="stable")
    numbers = numbers[order]
    again = np.flatnonzero(numbers[1:] == numbers[:-1])
    later, earlier = order[again + 1], order[again]
    in_order = np.argsort(later)
    return later[in_order], (later - earlier)[in_order]


def _loops(starts: np.ndarray, distances: np.ndarray, window: int) -> bool:
    """Whether somewhere the same follows itself so often, and for so long, as in a loop."""
    breaks = np.flatnonzero((np.diff(starts) != 1) | (np.diff(distances) != 0)) + 1
    first = np.concatenate([[0], breaks])
    last = np.concatenate([breaks, [len(starts)]])
    period = distances[first]
    whole = last - first + window - 1 + period
    return bool(((whole >= _LOOP_UNITS) & (whole >= _LOOP_TURNS * period)).any())


def _was_there(units: "array[int]", seen: set[int]) -> bool:
    number = hash(units.tobytes())
    if number in seen:
        return True
    seen.add(number)
    return False


def _as_numbers(values: "array[int]", kind: type) -> np.ndarray:
    return np.frombuffer(values, dtype=kind) if values else np.empty(0, kind)


def _measure(text: str) -> _Measure:
    """By the script of most of the text; its beginning is enough to tell."""
    sample = text[:20_000]
    characters = {name: len(script.findall(sample)) for name, script in _SCRIPTS.items()}
    hangul = characters.pop("hangul")
    if 2 * sum(characters.values()) < len(_UNIT.findall(sample)):
        return _BY_SCRIPT["hangul" if 4 * hangul > len(sample) else "spaces"]
    if 10 * characters["kana"] > characters["han"] > characters["brahmic"]:
        return _BY_SCRIPT["kana"]
    return _BY_SCRIPT[max(characters, key=lambda name: characters[name])]


def _blocks(text: str) -> Iterator[tuple[list[str], _Layout]]:
    """The lines of each paragraph, table and listing, with their layout."""
    for kind, marked in groupby(_marked(text), key=itemgetter(0)):
        lines = [line for _, line in marked]
        if kind == "tabular":
            yield lines, _Layout.TABULAR
        elif kind == "listing":
            layout = _layout(lines)
            yield lines, _Layout.TABULAR if layout == _Layout.PROSE else layout
        elif kind == "plain":
            yield lines, _layout(lines)


def _marked(text: str) -> Iterator[tuple[str, str]]:
    fence = None
    lines = text.splitlines()
    for line, in_listing in zip(lines, in_listings(lines), strict=True):
        mark = _FENCE.match(line)
        if mark and fence in (None, mark[1]):
            fence = None if fence else mark[1]
            yield "blank", line
        elif fence or _is_tabular(line):
            yield "tabular", line
        elif not line.strip():
            yield "blank", line
        else:
            yield "listing" if in_listing else "plain", line


def _is_tabular(line: str) -> bool:
    """Whether it stands in columns, or has a symbol of tables and code for a few words."""
    if _TABULAR.match(line):
        return True
    symbols = len(_SYMBOL.findall(line))
    return symbols > 0 and _WORDS_PER_SYMBOL * symbols > len(_UNIT.findall(line))


def _is_list(lines: list[str]) -> bool:
    """Whether a list begins it whose items are steps or entries, and no paragraphs."""
    if not _LIST_ITEM.match(lines[0]):
        return False
    items = sum(_LIST_ITEM.match(line) is not None for line in lines)
    text = "\n".join(lines)
    wide = len(_WIDE_LETTER.findall(text)) / _BY_SCRIPT["han"].per_word
    return wide + len(_OTHER_WORD.findall(text)) < _LONG_ITEM * items


def _layout(lines: list[str]) -> _Layout:
    if _is_list(lines):
        return _Layout.LIST
    characters = sum(len(line) for line in lines)
    wide = sum(len(_WIDE_LETTER.findall(line)) for line in lines)
    if len(lines) > 1 and characters + wide < _SHORT_LINE * len(lines):
        return _Layout.VERSE
    return _Layout.PROSE
