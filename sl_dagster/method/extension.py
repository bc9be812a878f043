"""The micro-iterations: what becomes of an Extender's outputs (paper, section 3.2)."""

from typing import Literal

from sl_dagster.method.filters import CutOff, Language, Preset, cut_off, has_repeated_ngram
from sl_dagster.method.responses import ResponseDropReason, response_drop_reason
from sl_dagster.method.words import count_words

PrefixDropReason = CutOff | Literal["empty", "repetition"]
ExtensionDropReason = ResponseDropReason | Literal["not_longer"]


def prefix_drop_reason(
    prefix: str, language: Language, *, finish_reason: str
) -> PrefixDropReason | None:
    """Say why a prefix, the kept part of a stage-1 output, cannot begin a stage-2 turn.

    It may end anywhere, but what it says twice already can never become a good text.
    """
    if reason := cut_off(finish_reason):
        return reason
    if not prefix.strip():
        return "empty"
    return "repetition" if has_repeated_ngram(prefix, language) else None


def extension_drop_reason(
    output: str, best: str, language: Language, *, finish_reason: str, preset: Preset
) -> ExtensionDropReason | None:
    """Say why a stage-2 output does not become the next round's input, or None when it does.

    Args:
        output: prefix and continuation.
        best: the longest text of this response that has passed so far, which it must surpass.
        language, finish_reason, preset: see ``filters.drop_reason``.
    """
    reason = response_drop_reason(output, language, finish_reason=finish_reason, preset=preset)
    if reason:
        return reason
    return None if count_words(output) > count_words(best) else "not_longer"


def has_grown(extended_words: int, initial_words: int, growth: float) -> bool:
    """Whether the rounds have made a response long enough to train on.

    Args:
        extended_words: of the best text after the last round.
        initial_words: of the initial response.
        growth: it must have more than this many times its initial words (paper: 1.2).
    """
    return extended_words > growth * initial_words
