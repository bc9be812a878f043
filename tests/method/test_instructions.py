"""Which self-made instructions are used."""

import pytest

from sl_dagster.method.instructions import instruction_drop_reason, says_yes


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


def test_one_in_another_language_than_asked_for() -> None:
    def reason(text: str, language) -> str | None:
        return instruction_drop_reason(text, finish_reason="stop", known=set(), language=language)

    assert reason("Write about a very old bridge.", "zh") == "wrong_language"
    assert reason("写一个关于老桥的故事。", "en") == "wrong_language"
    assert reason("写一个关于老桥的故事。", "zh") is None
    assert reason("写一个关于老桥的故事。", None) is None


@pytest.mark.parametrize("answer", ["yes", " Yes.", "YES, because", "是的"])
def test_yes(answer: str) -> None:
    assert says_yes(answer)


@pytest.mark.parametrize("answer", ["no", "", "Not yes", "否"])
def test_not_yes(answer: str) -> None:
    assert not says_yes(answer)
