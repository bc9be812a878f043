"""Deciding which responses are fit for the loop: the response filter, and their language."""

from typing import Literal

from sl_dagster.method.filters import DropReason, Preset, drop_reason
from sl_dagster.method.language import Language, is_written_in

ResponseDropReason = DropReason | Literal["wrong_language"]


def response_drop_reason(
    text: str, language: Language, *, finish_reason: str | None, preset: Preset
) -> ResponseDropReason | None:
    """Say why a response cannot be used for an instruction in a language, or None.

    The response filter's reason; but ``wrong_language``, which no end of sentence mends, if the
    response is neither cut off nor empty and is in another language than the instruction. The
    reference has no such rule, so ``preset="reference"`` has none.

    Args:
        text: the whole response.
        language: of the instruction.
        finish_reason, preset: see ``filters.drop_reason``.
    """
    reason = drop_reason(text, language, finish_reason=finish_reason, preset=preset)
    if preset == "reference" or reason in ("truncated", "looping", "empty"):
        return reason
    return reason if is_written_in(text, language) else "wrong_language"
