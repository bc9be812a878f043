"""Counting words in texts that mix scripts with and without spaces between words."""

import re

from sl_dagster.method.language import Language
from sl_dagster.method.scripts import BRAHMIC, BRAHMIC_MARKS, HAN, KANA, KANA_MARKS

# CJK ideographs, CJK punctuation, and full-width forms: each character is a word of its own.
_PAPERS = r"\u4e00-\u9fff\u3000-\u303f\uff00-\uffef"
_WIDE = re.compile(f"[{_PAPERS}]")
_WIDE_ELSEWHERE = re.compile(f"[{_PAPERS}{HAN}{KANA}{BRAHMIC}][{BRAHMIC_MARKS}{KANA_MARKS}]*")
_PAPERS_LANGUAGES = (None, "en", "zh")


def count_words(text: str, language: Language | None = None) -> int:
    """Count the words of a text as the paper's implementation does.

    Every character of U+4E00-9FFF, U+3000-303F and U+FF00-FFEF counts one; what remains counts one
    per token between white space.

    Args:
        text: of any length.
        language: in another language than English and Chinese, every kana and every letter of the
            other scripts that put no spaces between words (Thai, Lao, Burmese, Khmer) counts one,
            too.
    """
    if text.isascii():
        return len(text.split())
    wide = _WIDE if language in _PAPERS_LANGUAGES else _WIDE_ELSEWHERE
    rest, count = wide.subn(" ", text)
    return count + len(rest.split())
