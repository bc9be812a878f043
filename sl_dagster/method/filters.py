"""The response filters: which texts are good enough to train on, and why the others are not."""

import re
from collections.abc import Hashable, Sequence
from typing import Literal

Language = Literal["en", "zh"]
Preset = Literal["default", "reference"]
CutOff = Literal["truncated", "looping"]
DropReason = Literal["empty", "unfinished", "meta_words", "repetition"] | CutOff

_CLOSING = frozenset(")]}>`")
_EN_ENDINGS = _CLOSING | frozenset(".!?\"'")
_EN_REFERENCE_ENDINGS = _EN_ENDINGS | frozenset(",;:-")
_ZH_REFERENCE_ENDINGS = _CLOSING | frozenset("。！？”’…）】")

# A model that talks about its own rewriting instead of writing gives itself away with these words,
# at the beginning or at the end of the text.
_EN_META_WORDS = ("revised", "revision", "response", "version", "paragraph")

_EN_NGRAM = 10
_ZH_NGRAM = 13
_ZH_UNIT = re.compile(r"[\x00-\x7f]+|[^\x00-\x7f]")


def drop_reason(
    text: str,
    language: Language,
    *,
    finish_reason: str = "stop",
    preset: Preset = "default",
) -> DropReason | None:
    """Say why a response must be dropped, or None when it passes the filter.

    Args:
        text: the whole response.
        language: which of the two rules applies.
        finish_reason: why the generation ended. One that was cut off is dropped whatever the text
            ends with. The reference has no such rule, so ``preset="reference"`` ignores it.
        preset: ``"reference"`` follows the paper's implementation to the letter; ``"default"`` is
            stricter about English endings and accepts an ellipsis in three dots in Chinese.

    Returns:
        ``truncated`` or ``looping`` (see ``cut_off``), ``empty``, ``unfinished`` (ends in the
        middle of a sentence), ``meta_words`` (talks about its own rewriting; English only),
        ``repetition`` (a 10-gram of words, or a 13-gram of Chinese units, occurs twice), or None.
    """
    if preset == "default" and (reason := cut_off(finish_reason)):
        return reason
    text = text.rstrip()
    if not text:
        return "empty"
    if not _is_finished(text, language, preset):
        return "unfinished"
    if language == "en" and _has_meta_words(text):
        return "meta_words"
    if has_repeated_ngram(text, language):
        return "repetition"
    return None


def cut_off(finish_reason: str) -> CutOff | None:
    """Whether a generation did not end by itself.

    Args:
        finish_reason: as engines report it.

    Returns:
        ``truncated`` if a token limit cut it off, ``looping`` if it was ended for going round in
        circles, None if it ended by itself.
    """
    if finish_reason == "length":
        return "truncated"
    return "looping" if finish_reason == "repetition" else None


def has_repeated_ngram(text: str, language: Language) -> bool:
    """Whether a 10-gram of words (English) or a 13-gram of units (Chinese) occurs twice.

    A Chinese unit is one character, or a whole run of ASCII characters.
    """
    if language == "zh":
        return _occurs_twice(_ZH_UNIT.findall(text), _ZH_NGRAM)
    return _occurs_twice(text.split(), _EN_NGRAM)


def _is_finished(text: str, language: Language, preset: Preset) -> bool:
    if language == "zh":
        return text[-1] in _ZH_REFERENCE_ENDINGS or (preset == "default" and text.endswith("..."))
    return text[-1] in (_EN_ENDINGS if preset == "default" else _EN_REFERENCE_ENDINGS)


def _has_meta_words(text: str) -> bool:
    lines = text.split("\n")
    edges = "\n".join(lines[:2] + lines[-3:])
    return any(word in edges for word in _EN_META_WORDS)


def _occurs_twice(units: Sequence[Hashable], n: int) -> bool:
    seen = set()
    for start in range(len(units) - n + 1):
        gram = tuple(units[start : start + n])
        if gram in seen:
            return True
        seen.add(gram)
    return False
