"""Deciding which self-made instructions are fit for the loop (paper, section 3.1)."""

from typing import Literal

from sl_dagster.method.filters import CutOff, Language, cut_off
from sl_dagster.method.language import is_written_in
from sl_dagster.method.words import count_words

MIN_WORDS = 4
MAX_WORDS = 499

InstructionDropReason = (
    CutOff | Literal["too_short", "too_long", "wrong_language", "known", "judged_no"]
)


def instruction_drop_reason(
    instruction: str,
    *,
    finish_reason: str,
    known: set[str],
    language: Language | None = None,
) -> InstructionDropReason | None:
    """Say why a self-made instruction cannot be used, or None when only the judge is left to ask.

    Args:
        instruction: what the model wrote, without surrounding white space.
        finish_reason: why the generation ended.
        known: instructions that it must not repeat (seeds, held-out instructions).
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
    if instruction in known:
        return "known"
    return None


def says_yes(judgement: str) -> bool:
    """Whether the judge's answer begins with yes."""
    return judgement.strip().lower().startswith(("yes", "是"))
