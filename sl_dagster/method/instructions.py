"""Deciding which self-made instructions are fit for the loop (paper, section 3.1)."""

from typing import Literal

from sl_dagster.method.filters import CutOff, cut_off
from sl_dagster.method.words import count_words

MIN_WORDS = 4
MAX_WORDS = 499

InstructionDropReason = CutOff | Literal["too_short", "too_long", "known", "judged_no"]


def instruction_drop_reason(
    instruction: str, *, finish_reason: str, known: set[str]
) -> InstructionDropReason | None:
    """Say why a self-made instruction cannot be used, or None when only the judge is left to ask.

    Args:
        instruction: what the model wrote, without surrounding white space.
        finish_reason: why the generation ended.
        known: instructions that it must not repeat (seeds, held-out instructions).
    """
    if reason := cut_off(finish_reason):
        return reason
    words = count_words(instruction)
    if words < MIN_WORDS:
        return "too_short"
    if words > MAX_WORDS:
        return "too_long"
    if instruction in known:
        return "known"
    return None
