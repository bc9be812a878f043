"""What of an output is a response, whether it is fit for the loop, and what it fails to mention."""

from collections.abc import Sequence
from typing import Literal

from sl_dagster.method.commentary import Cut, without_commentary
from sl_dagster.method.filters import DropReason, Preset, drop_reason
from sl_dagster.method.language import Language, is_written_in

ResponseDropReason = DropReason | Literal["wrong_language"]


def response_in(output: str, preset: Preset) -> tuple[str, Cut]:
    """The response in what a model wrote, and its remarks about the writing, which are cut off.

    The reference cuts nothing, so with ``preset="reference"`` the response is the whole output.

    Args:
        output: what the model wrote.
        preset: see ``filters.drop_reason``.
    """
    return (output, Cut()) if preset == "reference" else without_commentary(output)


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


def missing_mentions(text: str, mentions: Sequence[str]) -> tuple[str, ...]:
    """What a text does not name, in any case of letters, of what it was asked to mention."""
    lower = text.lower()
    return tuple(name for name in mentions if name.lower() not in lower)
