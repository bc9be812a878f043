"""Which self-made instructions are used."""

import pytest

from sl_dagster.method.instructions import instruction_drop_reason


@pytest.mark.parametrize(
    ("words", "reason"), [(3, "too_short"), (4, None), (499, None), (500, "too_long")]
)
def test_bounds(words: int, reason: str | None) -> None:
    text = " ".join(["word"] * words)
    assert instruction_drop_reason(text, finish_reason="stop", known=set()) == reason


def test_known_and_truncated_ones() -> None:
    text = "Write about a very old bridge."
    assert instruction_drop_reason(text, finish_reason="stop", known={text}) == "known"
    assert instruction_drop_reason(text, finish_reason="length", known=set()) == "truncated"
