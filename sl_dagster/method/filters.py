"""The response filters: which texts are good enough to train on, and why the others are not."""

import re
from collections.abc import Hashable, Sequence
from typing import Literal

from sl_dagster.method.commentary import has_commentary
from sl_dagster.method.endings import looks_finished
from sl_dagster.method.language import Language
from sl_dagster.method.repetition import repeats_itself

Preset = Literal["default", "reference"]
CutOff = Literal["truncated", "looping"]
DropReason = Literal["empty", "unfinished", "meta_words", "repetition"] | CutOff

# Why a generation ended, as engines say it, besides ``length`` and ``repetition``: the model ended
# its turn; a stop string ended it; the engine does not know which of the two.
END_OF_TURN = "stop"
STOP_STRING = "stop_string"
UNKNOWN_END = "unknown"

# Raised with every change of what ``default`` drops; ``reference`` never changes.
DEFAULT_VERSION = 5

_CLOSING = frozenset(")]}>`")
_EN_REFERENCE_ENDINGS = _CLOSING | frozenset(".!?\"',;:-")
_ZH_REFERENCE_ENDINGS = _CLOSING | frozenset("。！？”’…）】")
_EN_META_WORDS = ("revised", "revision", "response", "version", "paragraph")

_EN_NGRAM = 10
_ZH_NGRAM = 13
_ZH_UNIT = re.compile(r"[\x00-\x7f]+|[^\x00-\x7f]")


def drop_reason(
    text: str,
    language: Language,
    *,
    finish_reason: str | None = None,
    preset: Preset = "default",
) -> DropReason | None:
    """Say why a response must be dropped, or None when it passes the filter.

    Args:
        text: the whole response.
        language: which of the reference's two rules applies: Chinese has its own, all others have
            that of English. The default goes by the text.
        finish_reason: why the generation ended, as engines report it. ``stop``, the model's own end
            of turn, ends a text, whatever stands there; with any other, or None, it is judged by
            what stands there. One that was cut off is dropped. The reference has no such rules, so
            ``preset="reference"`` ignores it.
        preset: ``"reference"`` follows the paper's implementation to the letter; ``"default"`` is
            calibrated to keep what people write (see docs/filter.md).

    Returns:
        ``truncated`` or ``looping`` (see ``cut_off``), ``empty``, ``unfinished`` (ends in the
        middle of a sentence), ``meta_words`` (talks about its own rewriting), ``repetition`` (says
        again what it has said before), or None.
    """
    if preset == "reference":
        return _reference_drop_reason(text.rstrip(), language)
    if finish_reason is not None and (reason := cut_off(finish_reason)):
        return reason
    text = text.rstrip()
    if not text:
        return "empty"
    if finish_reason != END_OF_TURN and not looks_finished(text, language):
        return "unfinished"
    if has_commentary(text):
        return "meta_words"
    return "repetition" if repeats_itself(text) else None


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
    """Whether a 10-gram of words, or a 13-gram of Chinese units, occurs twice: the paper's rule.

    A Chinese unit is one character, or a whole run of ASCII characters.
    """
    if language == "zh":
        return _occurs_twice(_ZH_UNIT.findall(text), _ZH_NGRAM)
    return _occurs_twice(text.split(), _EN_NGRAM)


def _reference_drop_reason(text: str, language: Language) -> DropReason | None:
    if not text:
        return "empty"
    if text[-1] not in (_ZH_REFERENCE_ENDINGS if language == "zh" else _EN_REFERENCE_ENDINGS):
        return "unfinished"
    if language != "zh" and _has_meta_words(text):
        return "meta_words"
    return "repetition" if has_repeated_ngram(text, language) else None


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
