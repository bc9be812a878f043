"""The micro-iterations: what becomes of an Extender's outputs (paper, section 3.2)."""

from collections.abc import Sequence
from typing import Literal

from sl_dagster.method.commentary import has_commentary
from sl_dagster.method.filters import CutOff, Preset, cut_off, has_repeated_ngram
from sl_dagster.method.language import Language
from sl_dagster.method.repetition import repeats_itself
from sl_dagster.method.responses import ResponseDropReason, response_drop_reason
from sl_dagster.method.selection import draw_by_rank
from sl_dagster.method.words import count_words

PrefixDropReason = CutOff | Literal["empty", "meta_words", "repetition"]
ExtensionDropReason = ResponseDropReason | Literal["not_longer"]
TrainingDropReason = Literal["not_grown", "selection"]


def prefix_drop_reason(
    prefix: str, language: Language, *, finish_reason: str, preset: Preset = "default"
) -> PrefixDropReason | None:
    """Say why a prefix, the kept part of a stage-1 output, cannot begin a stage-2 turn.

    It may end anywhere, so it does not matter either that the token limit cut the output off: the
    end is not kept. But what already says the same again and again, or talks about the work on it,
    can never become a good text.

    Args:
        prefix: what was kept.
        language, finish_reason, preset: see ``filters.drop_reason``.
    """
    reason = cut_off(finish_reason)
    if reason == "looping" or (reason and preset == "reference"):
        return reason
    if not prefix.strip():
        return "empty"
    if preset == "reference":
        return "repetition" if has_repeated_ngram(prefix, language) else None
    if has_commentary(prefix):
        return "meta_words"
    return "repetition" if repeats_itself(prefix) else None


def extension_drop_reason(
    output: str, best: str, language: Language, *, finish_reason: str | None, preset: Preset
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
    longer = count_words(output, language) > count_words(best, language)
    return None if longer else "not_longer"


def has_grown(extended_words: int, initial_words: int, growth: float) -> bool:
    """Whether the rounds have made a response long enough to train on.

    Args:
        extended_words: of the best text after the last round.
        initial_words: of the initial response.
        growth: it must have more than this many times its initial words (paper: 1.2).
    """
    return extended_words > growth * initial_words


def reasons_against(
    words: Sequence[int],
    initial_words: Sequence[int],
    characters: Sequence[int],
    growth: float,
    seed: int | None,
) -> list[TrainingDropReason | None]:
    """Per response, why it is not trained on: it has not grown enough, or others were longer.

    Args:
        words: of the responses.
        initial_words: of the responses before they were extended.
        characters: of the responses; the selection goes by these.
        growth: see ``has_grown``.
        seed: of the selection; without one nothing is dropped for others being longer.
    """
    grown = [has_grown(*lengths, growth) for lengths in zip(words, initial_words, strict=True)]
    if seed is None:
        return [None if good else "not_grown" for good in grown]
    lengths = [length for length, good in zip(characters, grown, strict=True) if good]
    stays = iter(draw_by_rank(lengths, seed))
    return [(None if next(stays) else "selection") if good else "not_grown" for good in grown]
