"""Which instructions are used."""

import pytest

from sl_dagster.method.diversity import SimilarTexts
from sl_dagster.method.instructions import (
    duplicate_reason,
    instruction_drop_reason,
    length_named_in,
)


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


@pytest.mark.parametrize(
    ("instruction", "named"),
    [
        ("Write a 500-word story.", "500-word"),
        ("Explain it in about 1,000 words.", "1,000 words"),
        ("Fill two pages.", "two pages"),
        ("Prepare a one-page memo.", "one-page"),
        ("Answer in 3k words or so.", "3k words"),
        ("It takes hundreds of words.", "hundreds of words"),
        ("Use at most 280 characters.", "280 characters"),
        ("In ten sentences, please.", "ten sentences"),
        ("写一篇800字的作文。", "800字"),
        ("不少于三千字。", "三千字"),
        ("一万五千字左右。", "一万五千字"),
        ("要２０００多字。", "２０００多字"),
        ("用几百个字说明。", "几百个字"),
        ("两页的报告。", "两页"),
        ("约5,000个汉字。", "5,000个汉字"),
        ("A play with two characters.", None),
        ("In one word, describe it.", None),
        ("It was the year 2000. Words fail me.", None),
        ("Words of wisdom from page to stage.", None),
        ("一个发生在十字路口的故事，一字一句都要推敲。", None),
        ("谈谈数字人民币，从第三页讲到最后一页。", None),
        ("写一写汉字的千年演变。", None),
    ],
)
def test_named_lengths(instruction: str, named: str | None) -> None:
    assert length_named_in(instruction) == named
