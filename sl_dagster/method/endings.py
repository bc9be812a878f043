"""How texts end: whether one whose end nobody has reported looks complete.

Prose ends with a mark that ends a sentence. What is laid out in lines (a letter's signature, a
list, a table, a poem, a link) often has none; there a text is held to its own habit.
"""

import re
import unicodedata

from sl_dagster.method.language import Language
from sl_dagster.method.listings import in_listings
from sl_dagster.method.scripts import HAN, KANA, SPACED_STOPS, STOPS
from sl_dagster.method.whole_lines import (
    ends_in_picture_of_letters,
    is_address,
    is_formula,
    is_row,
)

_TERMINAL = frozenset(SPACED_STOPS + STOPS)
# After these something must follow, whatever quotes or brackets are closed behind them.
_UNFINISHED = frozenset(",;:、，；：،؛·-–—=+&/\\([{（【「『《〈“„‘«")
_CLOSING = frozenset(")]}>`）】」』》〉”’»\"'″＂＇")
_EMPHASIS = frozenset("*_~|")
_QUOTES = frozenset("\"'")

# Words that no line ends with: articles, prepositions, pronouns and the like, of some languages in
# which names and headings look like the beginning of a sentence.
_LEADING = set(
    re.findall(
        r"\w+",
        """
    a an the and or but nor of to in on at by for from with without into onto upon as than that
    which who whose if when while because although though since is are was were be been am has have
    had will would shall should can could may might must do does did not very my your his her its
    our their this these those i he she we they it there
    der die das den dem des ein eine einen einem einer eines und oder aber im zum zur von mit bei
    sie es wir ihr ist sind wird werden nicht
    le la les des du un une et ou mais de à au aux dans sur avec pour par que qui est sont ne il
    elle nous vous el los las del una y o en con por para se es son il lo gli di da che è
    """,
    )
)
_LAST_WORDS = {
    "the end", "end", "fin", "finis", "ende", "fine", "to be continued", "完", "全文完", "终",
    "剧终", "未完待续", "全书完", "本章完", "おわり", "終わり", "終", "了", "끝", "конец", "amen",
}  # fmt: skip

_TAG = re.compile(r"(?:^|\s)[#@][^\s#@]+$")
_FOOTNOTE = re.compile(r"(?:\[\w{1,4}\]|[¹²³⁰⁴-⁹†‡]+)$")
_YEAR = re.compile(r"\b\d{4}\b\W*$|\d{1,4}\s*[年月日]\W*$")
_RULE = re.compile(r"^\s*(?:[^\w\s]\s*)+$")
_LIST_ITEM = re.compile(
    r"^\s*(?:[-*+•·–—▪◦‣○●]|\(?\w{1,3}[.)、．]|[（(][^）)]{1,3}[）)]|[①-⑳])\s*\S"
)
_HEADING = re.compile(r"^\s*(?:#{1,6}\s|\*\*[^*]+\*\*:?$|[=~^\"'-]{4,}$)")
_ATTRIBUTION = re.compile(r"""^\s*(?:-{2,3}|[–—―─]{1,2})\s*["'“„«‘《「『]?[^\W\d_]""")
_NAME = re.compile(r"^(?:[A-ZÀ-ÖØ-ÞΑ-ΩА-Я][\w.’'-]*|(?:van|von|de|der|du|la|le|of|and|the|&)\b)$")
_TITLE = re.compile(r"\".+\"|“.+”|«.+»|《.+》|「.+」")
_COPYRIGHT = re.compile(r"(?:©|\(c\)|\bcopyright\b).*\d{4}", re.IGNORECASE)
_SESSION = re.compile(r"^\s*>>> ", re.MULTILINE)
_FENCE = re.compile(r"^\s*(```|~~~(?!~))")
_FIELD = re.compile(r"^\s*:[\w-]+: ")
_LATIN_STOP = re.compile(rf"[{HAN}]\.(?=\s|$)")
_WIDE = re.compile(f"[{HAN}{KANA}]")
_POSTSCRIPT = re.compile(r"^\W*P\.? ?P?\.? ?S\b\.?:?\s", re.IGNORECASE)
# Thai and Lao put a space where others have a full stop.
_WITHOUT_STOPS = re.compile("[\u0e01-\u0eff]")
_SPEAKER = re.compile(r"\s*(?:[\[(]?\d{1,2}[:.]\d{2}|<[^<>\n]{1,30}>|\w[\w .-]{0,24}[:>]\s)")
# What only says how a line is to be set: its direction, and where it may be broken.
_INVISIBLE = re.compile(r"[\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\u00ad\s]+$")
_SPACE = re.compile(r"\n[ \t\r\f\v]*\n")

# A line is short up to so many characters; a signature has at most so many words.
_SHORT = 60
_NAME_WORDS = 6
# What says where a quotation is from stands so many columns further in.
_FURTHER = 4
# A sign-off has at most so many lines; a name in a script without spaces, so many characters.
_NAME_ROWS = 4
_WIDE_NAME = 6
# Lines of a poem or a transcript have fewer characters on the average.
_VERSE_LINE = 50
# A poem in which one line in so many ends with a mark has marks where sentences end.
_SELDOM = 6
# Of a longer line its end says enough.
_LONG_LINE = 1_000
# What stands alone under a heading, as a licence's name does.
_NOTE_WORDS = 3
_NOTE = 20


def looks_finished(text: str, language: Language = "en") -> bool:
    """Whether a text seems to be whole, judged by what stands at its end.

    Args:
        text: not empty, without white space at its end.
        language: of the text. Behind Chinese characters, a Latin full stop ends no sentence in it.

    Returns:
        True if the text ends with a mark that ends a sentence, whatever quotes, brackets, emphasis
        or pictures stand behind it; or in something that has no such mark: a closing bracket or
        quotation mark, a table, code, a link, a tag, a signature or date under a finished
        paragraph, a rule, words such as *The End*; or in a line of a list, a poem or a text without
        sentence marks if other lines of it do the same.
    """
    lines = _last_lines(text)
    if _in_code(text):
        return False
    last = lines[-1]
    if _FENCE.match(last) or _RULE.match(last) or last.rstrip().endswith(("|", "-->")):
        return True
    body = _without_footnotes(last)
    core = _INVISIBLE.sub("", body).rstrip("".join(_EMPHASIS))
    if not core or _ends_in_picture(core) or ends_in_picture_of_letters(core):
        return True
    if is_formula(core.strip(), _SPACE.split(text[-_LONG_LINE:])[-1].strip() == last.strip()):
        return True
    inner = core.rstrip("".join(_CLOSING | _EMPHASIS | {" "}))
    if language == "zh" and _LATIN_STOP.search(inner[-2:]) and not _has_latin_stops(text):
        return False
    if inner and inner[-1] in _TERMINAL:
        return not _is_bare_number(inner, last) or _is_closing(lines)
    if is_address(core) or _TAG.search(core):
        return not _has_open_bracket(text)
    if inner and inner[-1] in _UNFINISHED:
        return False
    if core[-1] in _CLOSING:
        return not _opens(core)
    return _ends_like_a_line(text, lines, core)


def _ends_like_a_line(text: str, lines: list[str], core: str) -> bool:
    """Whether a last line without a mark at its end is one of those that need none."""
    last = lines[-1].strip()
    if last.casefold().strip(" *_()（）[]【】~-—.") in _LAST_WORDS:
        return True
    words = core.split()
    before = lines[-2] if len(lines) > 1 else ""
    is_note = len(words) <= _NOTE_WORDS and len(core) < _NOTE and _HEADING.match(before)
    is_note = is_note and (words[0].casefold() not in _LEADING or core.isupper())
    if words[-1].casefold() in _LEADING and not is_note:
        return False
    is_note = is_note or (len(words) <= 2 * _NAME_WORDS and _POSTSCRIPT.match(last))
    if is_note or _FIELD.match(lines[-1]) or _is_copyright(last):
        return True
    return (
        _is_signature(text, lines, last, words)
        or _is_sign_off(text)
        or _is_listing(text, lines)
        or is_row(_SPACE.split(text[-20_000:])[-1])
        or _is_habit(text)
    )


def _has_latin_stops(text: str) -> bool:
    """Whether a Chinese text ends its sentences with them throughout."""
    return len(_LATIN_STOP.findall(text)) > max(1, text.count("。"))


def _is_copyright(last: str) -> bool:
    """Whether it says whose the text is, as the last line of many a document does."""
    return len(last) < 2 * _SHORT and _COPYRIGHT.search(last) is not None


def _is_listing(text: str, lines: list[str]) -> bool:
    """Whether code ends it, or a session with an interpreter, that is told by its indent."""
    if len(lines) > 1 and lines[-1][0].isspace() and lines[-2].endswith(":"):
        return True
    tail = text[-20_000:]
    *_, last = in_listings(tail.splitlines())
    return last or _SESSION.search(_SPACE.split(tail)[-1]) is not None


def _is_signature(text: str, lines: list[str], last: str, words: list[str]) -> bool:
    before = lines[-2].rstrip() if len(lines) > 1 else ""
    apart = _SPACE.search(text, max(0, len(text) - len(lines[-1]) - 20)) is not None
    if _is_attribution(text, lines):
        return True
    # Where a quotation is from stands far further in, with or without a dash.
    if (
        len(last) <= _SHORT
        and _is_done(before)
        and _indent(lines[-1]) >= _indent(before) + 2 * _FURTHER
    ):
        return True
    if len(last) > _SHORT or not before or not (apart or len(before) < _SHORT):
        return False
    formula = before[-1] in ",，" and len(before) < _SHORT
    done = _is_done(before)
    if len(words) <= _NAME_WORDS and (formula or done or len(before) < _SHORT):
        named = all(_NAME.match(word.strip(",.*_()")) for word in words)
        if named and (formula or len(words) > 1 or last.isupper()):
            return True
        return bool(_YEAR.search(last)) or (formula and len(words) <= 4)
    return False


def _is_sign_off(text: str) -> bool:
    """Whether it ends as letters do in every script: in a few short lines, apart from the rest.

    A text that is cut in its last paragraph has no short lines before its last; and hardly ever is
    it cut behind so few letters as a name has. In a letter a name may have more of them.
    """
    *others, block = (block.strip("\n") for block in _SPACE.split(text[-20_000:]))
    rows = block.split("\n")
    if not others or len(rows) > _NAME_ROWS or not all(map(_is_brief, rows)):
        return False
    if _LIST_ITEM.match(block) or _HEADING.match(block) or any(map(_ATTRIBUTION.match, rows)):
        return False
    before = others[-1]
    done = _is_done(before) or bool(_WITHOUT_STOPS.search(before[-10:]))
    closing = not done and "\n" not in before and _is_brief(before) and not _HEADING.match(before)
    if len(rows) > 1:
        told = any(map(_is_done, rows[:-1])) or _is_transcript(rows) or any(map(_is_verse, others))
        return (done or (closing and len(others) > 1)) and not told
    words = block.split()
    if len(_WIDE.findall(block)) > _WIDE_NAME:
        return False
    if _opens_a_letter(text) and len(words) <= _NAME_WORDS - 2:
        named = not (words[0].casefold() in _LEADING or words[0].islower() or words[-1].islower())
        return closing or (done and named)
    return done and _has_no_capitals(block)


def _opens_a_letter(text: str) -> bool:
    """Whether the first line calls somebody."""
    first = text.lstrip().split("\n", 1)[0].rstrip()
    return _is_brief(first) and first.endswith(tuple(",:!،，：！、"))


def _is_brief(line: str) -> bool:
    return (
        len(line) <= _SHORT
        and len(line.split()) <= _NAME_WORDS
        and len(_WIDE.findall(line)) <= 2 * _NAME_WORDS
    )


def _has_no_capitals(line: str) -> bool:
    """Whether it is a word or three in a script that has no capitals."""
    return (
        any(unicodedata.category(character) == "Lo" for character in line)
        and line == line.swapcase()
        and len(line) <= 2 * _NAME_WORDS
        and len(line.split()) <= _NOTE_WORDS
    )


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
    if len(source) > 4 * _SHORT or _has_speech(before, _indent(first)):
        return False
    further_in = _indent(first) >= _indent(before.split("\n")[-1]) + _FURTHER
    return further_in or (_is_named(source) and _is_done(before))


def _is_named(source: str) -> bool:
    """Whether it is short, full of names, a name and what it is, or names a title."""
    words, who = (re.findall(r"\w[\w.’'-]*", part) for part in (source, source.split(",")[0]))
    names = sum(not word[0].islower() for word in words)
    is_name = len(who) > 1 and not any(word[0].islower() for word in who)
    is_title = _TITLE.search(source) is not None
    return len(words) <= _NOTE_WORDS or 2 * names >= len(words) or is_name or is_title


def _has_speech(text: str, indent: int) -> bool:
    """Whether a line so far in begins with a dash, and is not who said what stands before it."""
    for block in _SPACE.split(text):
        begun = [line for line in block.rstrip().split("\n") if _ATTRIBUTION.match(line)]
        begun = [line for line in begun if _indent(line) == indent]
        if begun and (
            len(begun) > 1 or _is_done(begun[0]) or not block.rstrip().endswith(begun[0])
        ):
            return True
    return False


def _is_done(text: str) -> bool:
    """Whether a sentence ends it, whatever quotes, brackets or emphasis stand behind."""
    return text.rstrip("".join(_CLOSING | _EMPHASIS | {" "}))[-1:] in _TERMINAL


def _indent(line: str) -> int:
    line = line.expandtabs(4)
    return len(line) - len(line.lstrip())


def _is_habit(text: str) -> bool:
    """Whether other items of its list, lines of its poem, or blocks of its kind end like it."""
    tail = text[-20_000:]
    *others, block = (block.strip("\n") for block in _SPACE.split(tail))
    if items := _items(block):
        earlier = [item for other in others for item in _items(other)] + items[:-1]
        alike = [item for item in earlier if (len(item) > _SHORT) == (len(items[-1]) > _SHORT)]
        return _mostly_open([item.rstrip(")]` ") for item in alike or earlier], 1)
    if _is_verse(block):
        verses = [line for part in [*others, block] if _is_verse(part) for line in part.split("\n")]
        return _mostly_open(verses[:-1], 2) and (
            _is_transcript(verses) or _SELDOM * sum(map(_is_done, verses)) <= len(verses)
        )
    is_long = len(block) > _SHORT
    least = 1 if 2 * len(_WITHOUT_STOPS.findall(block)) > len(block) else 3
    alike = [other for other in others if (len(other) > _SHORT) == is_long and _is_told(other)]
    return _mostly_open(alike, least)


def _is_told(block: str) -> bool:
    """Whether it is running text, and no listing, directive or collection of links."""
    return not block.startswith((" ", "\t", "..", "[!")) and not is_address(block)


def _is_verse(block: str) -> bool:
    """Whether it stands in lines so short that no column was full."""
    *lines, _ = block.split("\n")
    return bool(lines) and sum(map(len, lines)) < _VERSE_LINE * len(lines)


def _is_transcript(lines: list[str]) -> bool:
    """Whether a time or a name stands before most of what is said."""
    return 2 * sum(_SPEAKER.match(line) is not None for line in lines) > len(lines)


def _items(block: str) -> list[str]:
    """The items of a block that ends with a list, each with the lines that it goes on in."""
    items: list[str] = []
    for line in block.split("\n"):
        if _LIST_ITEM.match(line):
            items.append(line)
        elif items and line[:1].isspace():
            items[-1] += f"\n{line}"
        else:
            items = []
    return items


def _mostly_open(lines: list[str], least: int) -> bool:
    """Whether most of these lines or paragraphs, of at least so many, end with no mark at all."""
    ends = [line.rstrip()[-1] for line in lines if line.strip() and not _HEADING.match(line)]
    return len(ends) >= least and 2 * sum(map(_is_letter, ends)) > len(ends)


def _is_letter(character: str) -> bool:
    """Whether it is a letter, a digit, or a mark that belongs to one."""
    return unicodedata.category(character)[0] in "LNM"


def _last_lines(text: str) -> list[str]:
    """The last lines that are not empty, four at most."""
    lines = [line for line in text[-20_000:].splitlines() if line.strip()][-4:]
    return [line if len(line) < _LONG_LINE else line[-_LONG_LINE:] for line in lines]


def _has_open_bracket(text: str) -> bool:
    """Whether a bracket in the last paragraph is still open."""
    paragraph = _SPACE.split(text[-2_000:])[-1]
    return any(paragraph.count(a) > paragraph.count(b) for a, b in ("()", "[]", "（）"))


def _in_code(text: str) -> bool:
    open_fence = None
    for line in text.split("\n"):
        if (mark := _FENCE.match(line)) and open_fence in (None, mark[1]):
            open_fence = None if open_fence else mark[1]
    return open_fence is not None


def _without_footnotes(line: str) -> str:
    line = line.rstrip()
    while found := _FOOTNOTE.search(line):
        if not found.start():
            break
        line = line[: found.start()].rstrip()
    return line


def _ends_in_picture(core: str) -> bool:
    """Whether an emoji or another picture ends it, with the marks that vary and join them."""
    for character in reversed(core):
        category = unicodedata.category(character)
        if category not in ("Mn", "Cf"):
            return category in ("So", "Sk", "Me")
    return False


def _opens(core: str) -> bool:
    """Whether the quotation mark at the end opens a quotation instead of closing it."""
    return core[-1] in _QUOTES and (len(core) == 1 or core[-2].isspace() or core[-2] in _UNFINISHED)


def _is_bare_number(inner: str, last: str) -> bool:
    """Whether all there is of the last line is the number of an item to come."""
    return inner[-1] == "." and bool(re.fullmatch(r"\s*(?:\d{1,3}|[A-Za-z])\.\s*", last))


def _is_closing(lines: list[str]) -> bool:
    """Whether an initial stands under a line like *Yours,*."""
    return len(lines) > 1 and lines[-1].strip().isupper() and lines[-2].rstrip().endswith(",")
