"""Reading the numbers of words that a length constraint names."""

import re
import unicodedata
from typing import NoReturn

_UNITS = {"十": 10, "百": 100, "千": 1_000, "万": 10_000, "k": 1_000, "K": 1_000}
_ARABIC = re.compile(
    r"(?P<grouped>\d{1,3}(?:,\d{3})+)(?!\d)"
    r"|(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[百千万]|[kK](?![A-Za-z]))"
    r"|(?P<plain>\d+)"
)
_LONGEST = 12  # digits
_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_CHINESE = re.compile(rf"[{''.join(_DIGITS)}十百千万]{{2,}}")


def numbers_in(text: str) -> list[int]:
    """The numbers in a text, in order.

    Numbers are what its digits say, as in the benchmark's own code; what a reader understands is
    understood, too: full-width digits, thousands separated by commas, and units ("2-4k", "3千",
    "1.5万"). A text without digits is searched for Chinese numerals of two characters or more, so
    that the "一" of "一篇" is none.

    Raises:
        ValueError: a Chinese numeral that is none, such as "五六千", or a number beyond all texts.
    """
    text = unicodedata.normalize("NFKC", text)
    found = _arabic_numbers(text)
    if found:
        return [number for _, number in found]
    return [_chinese(numeral) for numeral in _CHINESE.findall(text)]


def scale_numbers(text: str, factor: float) -> str:
    """The text with each of its numbers in digits multiplied and rounded, at least to 1."""
    text = unicodedata.normalize("NFKC", text)
    for match, number in reversed(_arabic_numbers(text)):
        scaled = str(max(1, round(factor * number)))
        text = text[: match.start()] + scaled + text[match.end() :]
    return text


def _arabic_numbers(text: str) -> list[tuple[re.Match[str], int]]:
    found: list[tuple[re.Match[str], int]] = []
    next_number, next_unit = 0.0, 1
    for match in reversed(list(_ARABIC.finditer(text))):
        digits = match["number"] or match["plain"] or match["grouped"].replace(",", "")
        if len(digits) > _LONGEST:
            raise ValueError(f"{digits[:_LONGEST]}... is too large a number")
        number, unit = float(digits), _UNITS[match["unit"]] if match["unit"] else 1
        if match["plain"] and number < next_number:
            unit = next_unit  # "2-4k": the first number shares the unit of the second
        found.append((match, round(number * unit)))
        next_number, next_unit = number, unit
    return found[::-1]


def _chinese(numeral: str) -> int:
    """A Chinese numeral below 100 million, or a row of digits such as "二〇〇〇"."""
    if not any(sign in _UNITS for sign in numeral):
        return int("".join(str(_DIGITS[sign]) for sign in numeral))
    above, _, below = numeral.rpartition("万")
    if not above:
        return _below_ten_thousand(numeral, 1) if "万" not in numeral else _no_numeral(numeral)
    return _below_ten_thousand(above, 1) * 10_000 + _below_ten_thousand(below, 10_000)


def _below_ten_thousand(numeral: str, unit: int) -> int:
    """Such as "三千五百", after something that was counted in ``unit``.

    In speech the last unit is left out: "两千五" is 2,500.
    """
    value, digit = 0, None
    for place, sign in enumerate(numeral):
        if sign in _DIGITS:
            if digit:
                _no_numeral(numeral)
            digit = _DIGITS[sign]
            if digit == 0:
                unit = 10  # "两千零五": what follows are ones
        else:
            if digit is None and (sign != "十" or place):
                _no_numeral(numeral)
            unit = _UNITS[sign]
            value += (1 if digit is None else digit) * unit
            digit = None
    return value + (digit or 0) * max(1, unit // 10)


def _no_numeral(numeral: str) -> NoReturn:
    raise ValueError(f"{numeral} is no number")
