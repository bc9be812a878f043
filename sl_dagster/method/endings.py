"""How texts end: whether one whose end nobody has reported looks complete.

Prose ends with a mark that ends a sentence. What is laid out in lines (a letter's signature, a
list, a table, a poem, a link) often has none; there a text is held to its own habit.
"""

import re
import unicodedata

from sl_dagster.method.language import Language
from sl_dagster.method.line_kinds import (
    BEHIND,
    CLOSING,
    EMPHASIS,
    HEADING,
    LEADING,
    LIST_ITEM,
    NAME_WORDS,
    NOTE_WORDS,
    SHORT,
    SPACE,
    TERMINAL,
    WITHOUT_STOPS,
    is_done,
    is_transcript,
    is_verse,
)
from sl_dagster.method.listings import in_listings
from sl_dagster.method.scripts import EAST_ASIAN, HAN
from sl_dagster.method.signatures import is_sign_off, is_signature
from sl_dagster.method.whole_lines import (
    ends_in_picture_of_letters,
    is_address,
    is_formula,
    is_row,
)

# After these something must follow, whatever quotes or brackets are closed behind them.
_UNFINISHED = frozenset(",;:、，；：،؛·-–—=+&/\\([{（【「『《〈“„‘«")
_QUOTES = frozenset("\"'”’")

_LAST_WORDS = {
    "the end", "end", "fin", "finis", "ende", "fine", "to be continued", "完", "全文完", "终",
    "剧终", "未完待续", "全书完", "本章完", "おわり", "終わり", "終", "了", "끝", "конец", "amen",
}  # fmt: skip

_TAG = re.compile(r"(?:^|\s)[#@][^\s#@]+$")
_NOTE_BELOW = re.compile(r"\s*(\[(?:\*+|\d{1,3}|[a-z])\]|[†‡]|[¹²³⁴-⁹]+|\[\^\w+\](?=:)):?\s*[^\W_]")
_OPEN_LINK = re.compile(r"<(?:https?|mailto):[^>]*$|\]\([^)\s]*$")
_FOOTNOTE = re.compile(r"(?:\[\w{1,4}\]|[¹²³⁰⁴-⁹†‡]+)$")
_RULE = re.compile(r"^\s*(?:[^\w\s]\s*)+$")
_COPYRIGHT = re.compile(r"(?:©|\(c\)|\bcopyright\b).*\d{4}", re.IGNORECASE)
_SESSION = re.compile(r"^\s*>>> ", re.MULTILINE)
_FENCE = re.compile(r"^\s*(```|~~~(?!~))")
_FIELD = re.compile(r"^\s*:[\w-]+: ")
_PICTURE = re.compile(r"^\s*!\[[^\]]*\]\([^)\s]+\)\s*$")
_EMPHASISED = re.compile(r"([*_]{1,3})[^*_\s].*\1$")
_WIDE = re.compile(f"[{EAST_ASIAN}]")
_LATIN_STOP = re.compile(rf"[{HAN}]\.(?=\s|$)")
_POSTSCRIPT = re.compile(r"^\W*P\.? ?P?\.? ?S\b\.?:?\s", re.IGNORECASE)
# What only says how a line is to be set: its direction, and where it may be broken.
_INVISIBLE = re.compile(r"[\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\u00ad\s]+$")


# A poem in which one line in so many ends with a mark has marks where sentences end.
_SELDOM = 6
# Of a longer line its end says enough.
_LONG_LINE = 1_000
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
    if _is_footnote(text, last):
        return True
    if _is_unclosed(SPACE.split(text[-2_000:])[-1]):
        return False
    body = _without_footnotes(last)
    core = _INVISIBLE.sub("", body).rstrip("".join(EMPHASIS))
    if not core or _ends_in_picture(core) or ends_in_picture_of_letters(core):
        return True
    if is_formula(core.strip(), SPACE.split(text[-_LONG_LINE:])[-1].strip() == last.strip()):
        return True
    inner = core.rstrip(BEHIND)
    if language == "zh" and _LATIN_STOP.search(inner[-2:]) and not _has_latin_stops(text):
        return False
    if inner and inner[-1] in TERMINAL:
        return not _is_bare_number(inner, last) or _is_closing(lines)
    if is_address(core) or _TAG.search(core):
        return not _has_open_bracket(text)
    if inner and inner[-1] in _UNFINISHED:
        return False
    if core[-1] in CLOSING:
        return not _opens(core)
    return _ends_like_a_line(text, lines, core)


def _ends_like_a_line(text: str, lines: list[str], core: str) -> bool:
    """Whether a last line without a mark at its end is one of those that need none."""
    last = lines[-1].strip()
    if last.casefold().strip(" *_()（）[]【】~-—.") in _LAST_WORDS:
        return True
    words = core.split()
    before = lines[-2] if len(lines) > 1 else ""
    is_note = len(words) <= NOTE_WORDS and _width(core) < _NOTE and HEADING.match(before)
    is_note = is_note and (words[0].casefold() not in LEADING or core.isupper())
    if words[-1].casefold() in LEADING and not is_note:
        return False
    is_note = is_note or (len(words) <= 2 * NAME_WORDS and _POSTSCRIPT.match(last))
    is_caption = _PICTURE.match(before) and _EMPHASISED.match(last)
    if is_note or is_caption or _FIELD.match(lines[-1]) or _is_copyright(last):
        return True
    return (
        is_signature(text, lines, last, words)
        or is_sign_off(text)
        or _is_listing(text, lines)
        or is_row(SPACE.split(text[-20_000:])[-1])
        or _is_habit(text)
    )


def _width(line: str) -> int:
    """How many letters it has; an East Asian one counts as two."""
    return len(line) + len(_WIDE.findall(line))


def _is_footnote(text: str, last: str) -> bool:
    """Whether it explains a few words that have its mark in the text."""
    note = _NOTE_BELOW.match(last)
    return note is not None and len(last) < SHORT and text.find(note[1]) < len(text) - len(last)


def _is_unclosed(paragraph: str) -> bool:
    """Whether a link or a piece of code begins in its last words that does not end."""
    *_, piece = paragraph.split("`")
    # An old way to write quotation marks is `this'; and a mark may stand alone.
    begins = 0 < len(piece.split()) <= NOTE_WORDS and "\n" not in piece and "'" not in piece
    in_code = begins and paragraph.count("`") % 2 == 1
    return in_code or _OPEN_LINK.search(paragraph) is not None


def _has_latin_stops(text: str) -> bool:
    """Whether a Chinese text ends its sentences with them throughout."""
    return len(_LATIN_STOP.findall(text)) > max(1, text.count("。"))


def _is_copyright(last: str) -> bool:
    """Whether it says whose the text is, as the last line of many a document does."""
    return len(last) < 2 * SHORT and _COPYRIGHT.search(last) is not None


def _is_listing(text: str, lines: list[str]) -> bool:
    """Whether code ends it, or a session with an interpreter, that is told by its indent."""
    if len(lines) > 1 and lines[-1][0].isspace() and lines[-2].endswith(":"):
        return True
    tail = text[-20_000:]
    *_, last = in_listings(tail.splitlines())
    return last or _SESSION.search(SPACE.split(tail)[-1]) is not None


def _is_habit(text: str) -> bool:
    """Whether other items of its list, lines of its poem, or blocks of its kind end like it."""
    tail = text[-20_000:]
    *others, block = (block.strip("\n") for block in SPACE.split(tail))
    if items := _items(block):
        earlier = [item for other in others for item in _items(other)] + items[:-1]
        alike = [item for item in earlier if (len(item) > SHORT) == (len(items[-1]) > SHORT)]
        return _mostly_open([item.rstrip(")]` ") for item in alike or earlier], 1)
    if is_verse(block):
        verses = [line for part in [*others, block] if is_verse(part) for line in part.split("\n")]
        return _mostly_open(verses[:-1], 2) and (
            is_transcript(verses) or _SELDOM * sum(map(is_done, verses)) <= len(verses)
        )
    is_long = len(block) > SHORT
    least = 1 if 2 * len(WITHOUT_STOPS.findall(block)) > len(block) else 3
    alike = [other for other in others if (len(other) > SHORT) == is_long and _is_told(other)]
    return _mostly_open(alike, least)


def _is_told(block: str) -> bool:
    """Whether it is running text, and no listing, directive or collection of links."""
    return not block.startswith((" ", "\t", "..", "[!")) and not is_address(block)


def _items(block: str) -> list[str]:
    """The items of a block that ends with a list, each with the lines that it goes on in."""
    items: list[str] = []
    for line in block.split("\n"):
        if LIST_ITEM.match(line):
            items.append(line)
        elif items and line[:1].isspace():
            items[-1] += f"\n{line}"
        else:
            items = []
    return items


def _mostly_open(lines: list[str], least: int) -> bool:
    """Whether most of these lines or paragraphs, of at least so many, end with no mark at all."""
    ends = [line.rstrip()[-1] for line in lines if line.strip() and not HEADING.match(line)]
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
    paragraph = SPACE.split(text[-2_000:])[-1]
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
