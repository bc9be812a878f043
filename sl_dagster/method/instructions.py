"""Deciding which self-made instructions are fit for the loop (paper, section 3.1)."""

import re
from typing import Literal

from sl_dagster.method.diversity import SimilarTexts
from sl_dagster.method.filters import CutOff, Language, cut_off
from sl_dagster.method.language import is_written_in
from sl_dagster.method.words import count_words

MIN_WORDS = 4
MAX_WORDS = 499
MAX_SIMILARITY = 0.7  # in ROUGE-L, as in self-instruct (arXiv 2212.10560)

# The seven kinds of writing of the LonGen benchmark: literature and creative writing; academic
# research; business communication; journalism and media; miscellaneous professional writing;
# personal expression; technical documentation.
Kind = Literal[
    "literature", "academic", "business", "journalism", "professional", "personal", "technical"
]

# Not "one word" and "two characters", which are ways of speaking, and people.
_EN_LARGE = r"\d+(?:[,.]\d+)*k?|hundreds?|thousands?|dozens?"
_EN_SMALL = (
    "two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|thirty|forty|fifty|"
    "couple|few|several"
)
_EN_LENGTH = re.compile(
    rf"\b(?:(?:{_EN_LARGE}|{_EN_SMALL})(?:\s+of)?[\s-]+(?:more\s+)?"
    rf"(?:words?|pages?|paragraphs?|sentences?)|one[\s-]page|(?:{_EN_LARGE})[\s-]+characters)\b",
    re.IGNORECASE,
)
_ZH_NUMBER = (
    r"(?:\d+(?:[,，.]\d+)*\s*[十百千万]*|"
    r"[一二两三四五六七八九十几数]*[百千万][一二三四五六七八九十百千万]*)"
)
_ZH_LENGTH = re.compile(
    rf"{_ZH_NUMBER}[多余来]?\s*个?(?:汉字|字符|字|单词|词)|"
    rf"(?<!第)(?:{_ZH_NUMBER}|[二两三四五六七八九十几])[多余来]?\s*页"
)

DuplicateReason = Literal["duplicate", "near_duplicate"]
InstructionDropReason = CutOff | Literal["too_short", "too_long", "wrong_language"]


def instruction_drop_reason(
    instruction: str, *, finish_reason: str = "stop", language: Language | None = None
) -> InstructionDropReason | None:
    """Say why an instruction cannot be used whatever others there are, or None.

    Args:
        instruction: without surrounding white space.
        finish_reason: why the generation ended, if a model wrote it.
        language: in which it was asked for; None accepts any.
    """
    if reason := cut_off(finish_reason):
        return reason
    words = count_words(instruction)
    if words < MIN_WORDS:
        return "too_short"
    if words > MAX_WORDS:
        return "too_long"
    if language and not is_written_in(instruction, language):
        return "wrong_language"
    return None


def duplicate_reason(
    instruction: str, others: SimilarTexts, max_similarity: float
) -> DuplicateReason | None:
    """Say why an instruction adds nothing to others, or None when it is new.

    Args:
        instruction: without surrounding white space.
        others: those that are used already, or must not be repeated.
        max_similarity: what is more like one of them (by ROUGE-L) is a near-duplicate.
    """
    if instruction in others:
        return "duplicate"
    return "near_duplicate" if others.most_similar(instruction, max_similarity) else None


def length_named_in(instruction: str) -> str | None:
    """The words with which an instruction names a length, such as "500 words" or "三千字"."""
    found = _EN_LENGTH.search(instruction) or _ZH_LENGTH.search(instruction)
    return found and found[0]
