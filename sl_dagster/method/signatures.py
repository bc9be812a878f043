"""Who signs a text: names under letters, sign-offs in every script, sources of quotations."""

import re
import unicodedata

from sl_dagster.method.line_kinds import (
    HEADING,
    LEADING,
    LIST_ITEM,
    NAME_WORDS,
    NOTE_WORDS,
    SHORT,
    SPACE,
    WITHOUT_STOPS,
    is_done,
    is_transcript,
    is_verse,
)
from sl_dagster.method.scripts import HAN, KANA

_YEAR = re.compile(r"\b\d{4}\b\W*$|\d{1,4}\s*[年月日]\W*$")
_ATTRIBUTION = re.compile(r"""^\s*(?:-{2,3}|[–—―─]{1,2})\s*["'“„«‘《「『]?[^\W\d_]""")
_NAME = re.compile(r"^(?:[A-ZÀ-ÖØ-ÞΑ-ΩА-Я][\w.’'-]*|(?:van|von|de|der|du|la|le|of|and|the|&)\b)$")
_TITLE = re.compile(r"\".+\"|“.+”|«.+»|《.+》|「.+」")
_WIDE = re.compile(f"[{HAN}{KANA}]")
# What says where a quotation is from stands so many columns further in.
_FURTHER = 4
# A sign-off has at most so many lines; a name in a script without spaces, so many characters.
_NAME_ROWS = 4
_WIDE_NAME = 6


def is_signature(text: str, lines: list[str], last: str, words: list[str]) -> bool:
    """Whether a text ends with who has written or said it, or when.

    Args:
        text: all of it.
        lines: its last ones, the empty ones left out.
        last: the very last, without white space around it.
        words: of that line.
    """
    before = lines[-2].rstrip() if len(lines) > 1 else ""
    apart = SPACE.search(text, max(0, len(text) - len(lines[-1]) - 20)) is not None
    if _is_attribution(text, lines):
        return True
    # Where a quotation is from stands far further in, with or without a dash.
    if (
        len(last) <= SHORT
        and is_done(before)
        and _indent(lines[-1]) >= _indent(before) + 2 * _FURTHER
    ):
        return True
    if len(last) > SHORT or not before or not (apart or len(before) < SHORT):
        return False
    # "Yours truly," and who; in a poem, a line that ends like it is one of many.
    rows = SPACE.split(text[-2_000:])[-1].count("\n")
    formula = before[-1] in ",，" and len(before) < SHORT and rows <= _NAME_ROWS
    done = is_done(before)
    if len(words) <= NAME_WORDS and (formula or done or len(before) < SHORT):
        named = all(_NAME.match(word.strip(",.*_()")) for word in words)
        if named and (formula or len(words) > 1 or last.isupper()):
            return True
        return bool(_YEAR.search(last)) or (formula and len(words) <= 4)
    return False


def _is_attribution(text: str, lines: list[str]) -> bool:
    """Whether a dash and who said it, or where it stands, follow what somebody has said.

    Many languages begin with a dash what is said, too. So no speech of that kind stands before it;
    and it stands far further in than what it follows, or under what is finished and is a name.
    """
    place = max((n for n, line in enumerate(lines) if _ATTRIBUTION.match(line)), default=None)
    if place is None or not all(line[0].isspace() for line in lines[place + 1 :]):
        return False
    first, source = lines[place], " ".join(line.strip() for line in lines[place:])
    before = text[-20_000 : text.rindex(first)].rstrip()
    if len(source) > 4 * SHORT or _has_speech(before, _indent(first)):
        return False
    further_in = _indent(first) >= _indent(before.split("\n")[-1]) + _FURTHER
    return further_in or (_is_named(source) and is_done(before))


def _is_named(source: str) -> bool:
    """Whether it is short, full of names, a name and what it is, or names a title."""
    words, who = (re.findall(r"\w[\w.’'-]*", part) for part in (source, source.split(",")[0]))
    names = sum(not word[0].islower() for word in words)
    is_name = len(who) > 1 and not any(word[0].islower() for word in who)
    is_title = _TITLE.search(source) is not None
    return len(words) <= NOTE_WORDS or 2 * names >= len(words) or is_name or is_title


def _has_speech(text: str, indent: int) -> bool:
    """Whether a line so far in begins with a dash, and is not who said what stands before it."""
    for block in SPACE.split(text):
        begun = [line for line in block.rstrip().split("\n") if _ATTRIBUTION.match(line)]
        begun = [line for line in begun if _indent(line) == indent]
        if begun and (len(begun) > 1 or is_done(begun[0]) or not block.rstrip().endswith(begun[0])):
            return True
    return False


def _indent(line: str) -> int:
    line = line.expandtabs(4)
    return len(line) - len(line.lstrip())


def is_sign_off(text: str) -> bool:
    """Whether it ends as letters do in every script: in a few short lines, apart from the rest.

    A text that is cut in its last paragraph has no short lines before its last; and hardly ever is
    it cut behind so few letters as a name has. In a letter a name may have more of them.
    """
    *others, block = (block.strip("\n") for block in SPACE.split(text[-20_000:]))
    rows = block.split("\n")
    if not others or len(rows) > _NAME_ROWS or not all(map(_is_brief, rows)):
        return False
    if LIST_ITEM.match(block) or HEADING.match(block) or any(map(_ATTRIBUTION.match, rows)):
        return False
    before = others[-1]
    done = is_done(before) or bool(WITHOUT_STOPS.search(before[-10:]))
    closing = not done and "\n" not in before and _is_brief(before) and not HEADING.match(before)
    if len(rows) > 1:
        told = any(map(is_done, rows[:-1])) or is_transcript(rows) or any(map(is_verse, others))
        return (done or (closing and len(others) > 1)) and not told
    words = block.split()
    if len(_WIDE.findall(block)) > _WIDE_NAME:
        return False
    if _opens_a_letter(text) and len(words) <= NAME_WORDS - 2:
        named = not (words[0].casefold() in LEADING or words[0].islower() or words[-1].islower())
        return closing or (done and named)
    return done and _has_no_capitals(block)


def _opens_a_letter(text: str) -> bool:
    """Whether the first line calls somebody."""
    first = text.lstrip().split("\n", 1)[0].rstrip()
    return _is_brief(first) and first.endswith(tuple(",:!،，：！、"))


def _is_brief(line: str) -> bool:
    return (
        len(line) <= SHORT
        and len(line.split()) <= NAME_WORDS
        and len(_WIDE.findall(line)) <= 2 * NAME_WORDS
    )


def _has_no_capitals(line: str) -> bool:
    """Whether it is a word or three in a script that has no capitals."""
    return (
        any(unicodedata.category(character) == "Lo" for character in line)
        and line == line.swapcase()
        and len(line) <= 2 * NAME_WORDS
        and len(line.split()) <= NOTE_WORDS
    )
