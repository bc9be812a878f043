"""Numbers in texts, in digits and in the words of English and Chinese: read, and written.

What belongs here: where a number stands, what it amounts to, and how another is written in its
place. What it counts belongs to ``lengths``.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NoReturn

# Full-width signs and traditional characters, each as the one that is looked for. One stands for
# one, so that positions stay.
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F) if chr(code) != "，"}
_TRADITIONAL = str.maketrans("萬個頁單詞漢數兩餘來幾內間過於〇", "万个页单词汉数两余来几内间过于零")
_FOLDED = _FULL_WIDTH | _TRADITIONAL
_COMMA_IN_NUMBER = re.compile("(?<=[0-9０-９])，(?=[０-９])")
_TO_FULL_WIDTH = str.maketrans("0123456789,", "０１２３４５６７８９，")

_ZH_DIGITS = "零一二三四五六七八九"
_ZH_VALUES = {digit: value for value, digit in enumerate(_ZH_DIGITS)} | {"两": 2}
_ZH_PLACES = {"十": 10, "百": 100, "千": 1_000, "万": 10_000}

# fmt: off
_EN_ONES = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)
_EN_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
# fmt: on
_EN_SMALL = {word: value for value, word in enumerate(_EN_ONES, start=1)} | {
    word: 10 * value for value, word in enumerate(_EN_TENS, start=2)
}
_EN_LARGE = {"dozen": 12, "hundred": 100, "thousand": 1_000}

_UNITS = _ZH_PLACES | _EN_LARGE | {"k": 1_000, "w": 10_000}
_LONGEST = 12  # digits

_LARGE = "|".join(_EN_LARGE)
_WORD = "|".join([*_EN_SMALL, *(f"{word}s?" for word in _EN_LARGE)])
# Not "between two and three thousand", and not "between a hundred and two hundred".
_AND = (
    r"(?:[\s-]+|(?:(?<=hundred)|(?<=thousand))[\s-]+and[\s-]+"
    rf"(?!(?:{'|'.join(_EN_SMALL)})[\s-]+(?:{_LARGE})))"
)
# The row of Chinese signs is not 数 of 字数 ("number of characters") and what follows it.
_ZH_ROW = rf"(?:(?<![字词页])数(?=[十百千万])|几)?[{_ZH_DIGITS}两十百千万]+|几"
_NUMERAL = re.compile(
    r"(?P<grouped>\d{1,3}(?:(?:[,'\u00a0\u2009\u202f]\d{3})+|\x20000)(?!\d))"
    # "w" is 10,000 in front of Chinese characters.
    r"|(?P<number>\d+(?:\.\d+)?)\s?"
    r"(?P<unit>[十百千万]|k(?![a-z])|k(?=words?\b|pages?\b|char)|w(?=\s?[字词个])|"
    rf"(?:{_LARGE})(?![a-z]))"
    r"|(?P<plain>\d+)"
    rf"|(?P<chinese>{_ZH_ROW})"
    rf"|(?<![a-z])(?P<english>(?:an?[\s-]+(?=(?:{_LARGE})(?!s)))?(?:{_WORD})(?:{_AND}(?:{_WORD}))*"
    rf"|(?:an?\s+)?(?:few|several|couple(?:\s+of)?)(?:\s+(?:{_LARGE}))?)(?![a-z])",
    re.IGNORECASE,
)
# 几百, 三四千, 两三, 几
_ZH_ROUGHLY = re.compile(
    f"(?:[几数]|[二两三四五六七八九][三四五六七八九]|一[二两])[十百千万]+|[{_ZH_DIGITS}两]{{2}}|几"
)


@dataclass(frozen=True)
class Numeral:
    """A number where it stands in a text.

    Attributes:
        start, end: its place.
        number, unit: what is counted, and in which unit: 4 and 1,000 of "4k" and 四千. There is no
            number where the text says it but roughly ("hundreds", 几千).
    """

    start: int
    end: int
    number: float | None
    unit: int = 1

    @property
    def value(self) -> int | None:
        """What it amounts to, if the text says so."""
        return None if self.number is None else round(self.number * self.unit)


def folded(text: str) -> str:
    """The text as it is searched: full-width and traditional characters as those they stand for.

    Every character keeps its position.
    """
    return _COMMA_IN_NUMBER.sub(",", text).translate(_FOLDED)


def numerals_in(text: str) -> list[Numeral]:
    """The numbers of a text, in order, those that are said but roughly among them.

    Numbers are digits, with commas and units if need be ("2,000", "2.5k", "3千", "5 thousand"),
    Chinese numerals and English number words. A row of such words that is no number (万一) is
    passed over.
    """
    found: list[Numeral] = []
    for match in _NUMERAL.finditer(folded(text)):
        try:
            number, unit = _read(match)
        except ValueError:
            continue
        found.append(Numeral(match.start(), match.end(), number, unit))
    return found


def in_same_unit(first: Numeral, second: Numeral) -> Numeral:
    """The first of two numbers that share the second's unit, as in "2-4k" and 三到四千."""
    if first.unit == 1 and first.number and second.number and first.number < second.number:
        return replace(first, unit=second.unit)
    return first


def only_numerals_in(text: str) -> list[Numeral]:
    """The numbers of a text that is known to name nothing else, in order.

    Numbers are what its digits say. A text without digits is searched for English number words,
    and for Chinese numerals of two characters or more, so that the "一" of "一篇" is none.

    Raises:
        ValueError: a Chinese numeral that is none, such as "五六千", or a number beyond all texts.
    """
    searched = folded(text)
    matches = list(_NUMERAL.finditer(searched))
    in_digits = [match for match in matches if match[0][0].isdecimal()]
    in_words = [match for match in matches if match["english"] or _counts(searched, match)]
    found: list[Numeral] = []
    for match in reversed(in_digits or in_words):
        number, unit = _read(match)
        if number is None:
            _no_number(match[0])
        numeral = Numeral(match.start(), match.end(), number, unit)
        found.append(in_same_unit(numeral, found[-1]) if found else numeral)
    return found[::-1]


def _counts(text: str, match: re.Match[str]) -> bool:
    """Whether a Chinese numeral is one beyond doubt: of two signs, or the lower end of a range."""
    numeral, after = match["chinese"] or "", text[match.end() : match.end() + 1]
    return len(numeral) > 1 or bool(numeral and after and after in "到至-~")


def numbers_in(text: str) -> list[int]:
    """What ``only_numerals_in`` finds, as numbers.

    Raises:
        ValueError: as there.
    """
    return [numeral.value or 0 for numeral in only_numerals_in(text)]


def rewritten(text: str, numerals: Iterable[Numeral], factor: float) -> str:
    """The text with these of its numbers multiplied and rounded, at least to 1.

    A number stays in digits, with or without commas, or in Chinese numerals; English number words
    become digits. Those that are said but roughly stay as they are.
    """
    for numeral in sorted(numerals, key=lambda one: one.start, reverse=True):
        if numeral.value is not None:
            number = max(1, round(factor * numeral.value))
            written = _written(number, like=text[numeral.start : numeral.end])
            text = text[: numeral.start] + written + text[numeral.end :]
    return text


def is_chinese(numeral: str) -> bool:
    """Whether a number is written in Chinese numerals throughout."""
    return set(folded(numeral)) <= _ZH_VALUES.keys() | _ZH_PLACES.keys()


def _written(number: int, like: str) -> str:
    if is_chinese(like) and number < 10**8:
        return chinese_numeral(number)
    text = f"{number:,}" if "," in folded(like) else str(number)
    return text.translate(_TO_FULL_WIDTH) if re.match("[０-９]", like) else text


def _read(match: re.Match[str]) -> tuple[float | None, int]:
    """The number and the unit of a match.

    Raises:
        ValueError: it is none, or too large.
    """
    if chinese := match["chinese"]:
        return (None, 1) if _ZH_ROUGHLY.fullmatch(chinese) else _with_unit(*_chinese(chinese))
    if english := match["english"]:
        return _english(english.lower())
    digits = match["number"] or match["plain"] or re.sub(r"\D", "", match["grouped"])
    if len(digits) > _LONGEST:
        raise ValueError(f"{digits[:_LONGEST]}... is too large a number")
    return float(digits), _UNITS[match["unit"].lower()] if match["unit"] else 1


def _with_unit(value: int, places: list[int]) -> tuple[float, int]:
    """四千 is 4 thousands, but 三千五百 is 3,500: only one place makes a unit."""
    return (value / places[0], places[0]) if len(places) == 1 and places[0] > 12 else (value, 1)


def _english(words: str) -> tuple[float | None, int]:
    parts = [word for word in re.split(r"[\s-]+", words) if word != "and"]
    if parts[0] in ("a", "an"):
        parts[0] = "one"
    total = current = 0
    for word in parts:
        if value := _EN_SMALL.get(word):
            if current % (10 if value < 10 else 100):
                _no_number(words)
            current += value
        elif not current or word not in _EN_LARGE:
            return None, 1  # hundreds, a few
        elif word == "thousand":
            total, current = 1_000 * (total + current), 0
        else:
            current *= _EN_LARGE[word]
    large = [_EN_LARGE[word] for word in parts if word in _EN_LARGE]
    return _with_unit(total + current, large if parts[-1] in _EN_LARGE else [])


def _chinese(numeral: str) -> tuple[int, list[int]]:
    """A Chinese numeral below 100 million, or a row of digits (二零零零), and its places."""
    places = [_ZH_PLACES[sign] for sign in numeral if sign in _ZH_PLACES]
    if not places:
        return int("".join(str(_ZH_VALUES[sign]) for sign in numeral)), []
    if len(numeral) == 1:  # 千字
        return places[0], places
    above, _, below = numeral.rpartition("万")
    if not above:
        value = _below_ten_thousand(numeral, 1) if "万" not in numeral else _no_number(numeral)
    else:
        value = _below_ten_thousand(above, 1) * 10_000 + _below_ten_thousand(below, 10_000)
    return value, places if numeral[-1] in _ZH_PLACES else []


def _below_ten_thousand(numeral: str, unit: int) -> int:
    """Such as "三千五百", after something that was counted in ``unit``.

    In speech the last unit is left out: "两千五" is 2,500.
    """
    value, digit = 0, None
    for place, sign in enumerate(numeral):
        if sign in _ZH_VALUES:
            if digit:
                _no_number(numeral)
            digit = _ZH_VALUES[sign]
            if digit == 0:
                unit = 10  # "两千零五": what follows are ones
        else:
            if digit is None and (sign != "十" or place):
                _no_number(numeral)
            unit = _ZH_PLACES[sign]
            value += (1 if digit is None else digit) * unit
            digit = None
    return value + (digit or 0) * max(1, unit // 10)


def _no_number(numeral: str) -> NoReturn:
    raise ValueError(f"{numeral} is no number")


def chinese_numeral(number: int) -> str:
    """A number, 0 < number < 100,000,000, in Chinese numerals: 两千五百, 一万二千."""
    thousands, rest = divmod(number, 10_000)
    text = f"{_below_10_000(thousands)}万" if thousands else ""
    if rest:
        text += ("零" if thousands and rest < 1000 else "") + _below_10_000(rest)
    text = text.removeprefix("一") if text.startswith("一十") else text
    return re.sub("^二(?=[百千万])", "两", text)


def _below_10_000(number: int) -> str:
    """The same for a number below 10,000, in the strict form that begins with 一十 and 二千."""
    text = ""
    for place, sign in zip((3, 2, 1, 0), ("千", "百", "十", ""), strict=True):
        digit = number // 10**place % 10
        if digit:
            text += _ZH_DIGITS[digit] + sign
        elif text and number % 10**place and not text.endswith("零"):
            text += "零"
    return text
