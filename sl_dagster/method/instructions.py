"""Deciding which self-made instructions are fit for the loop (paper, section 3.1)."""

from collections.abc import Iterable
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


def reasons_against_duplicates(
    instructions: Iterable[str], max_similarity: float
) -> list[DuplicateReason | None]:
    """Why each of these instructions is dropped: it is like one before it that stays.

    Args:
        instructions: in the order in which they take precedence, read one by one.
        max_similarity: see ``duplicate_reason``.
    """
    staying = SimilarTexts()
    reasons: list[DuplicateReason | None] = []
    for instruction in instructions:
        reasons.append(duplicate_reason(instruction, staying, max_similarity))
        if reasons[-1] is None:
            staying.add(instruction)
    return reasons
