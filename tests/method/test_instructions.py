"""Which instructions are used."""

import pytest

from sl_dagster.method.diversity import SimilarTexts
from sl_dagster.method.instructions import duplicate_reason, instruction_drop_reason


@pytest.mark.parametrize(
    ("words", "reason"), [(3, "too_short"), (4, None), (499, None), (500, "too_long")]
)
def test_bounds(words: int, reason: str | None) -> None:
    assert instruction_drop_reason(" ".join(["word"] * words)) == reason
    assert instruction_drop_reason("字" * words) == reason


def test_truncated_ones() -> None:
    text = "Write about a very old bridge."
    assert instruction_drop_reason(text, finish_reason="length") == "truncated"


@pytest.mark.parametrize(
    ("text", "max_similarity", "reason"),
    [
        ("Write about a very old bridge.", 0.7, "duplicate"),
        ("Write about a very old bridge.", 1.0, "duplicate"),
        ("Write about a very old lighthouse.", 0.7, "near_duplicate"),
        ("Write about a very old lighthouse.", 0.9, None),
        ("write about a very old bridge", 1.0, None),
        ("Explain how heat pumps work.", 0.7, None),
    ],
)
def test_duplicates(text: str, max_similarity: float, reason: str | None) -> None:
    others = SimilarTexts(["Write about a very old bridge."])
    assert duplicate_reason(text, others, max_similarity) == reason


def test_one_in_another_language_than_asked_for() -> None:
    def reason(text: str, language) -> str | None:
        return instruction_drop_reason(text, language=language)

    assert reason("Write about a very old bridge.", "zh") == "wrong_language"
    assert reason("写一个关于老桥的故事。", "en") == "wrong_language"
    assert reason("写一个关于老桥的故事。", "zh") is None
    assert reason("写一个关于老桥的故事。", None) is None
