"""LongBench-Write: the length score and queries."""

import pytest
from pydantic import ValidationError

from sl_dagster.benchmarks.longbench_write import LongBenchWriteQuery, length_score

LINE = {"prompt": "Write a 1000-word travel guide.", "type": "Popular Science", "length": 1000}


@pytest.mark.parametrize(
    ("words", "score"),
    [
        (0, 0),
        (250, 0),
        (400, 25),
        (500, 50),
        (800, 87.5),
        (1000, 100),
        (1300, 90),
        (2500, 50),
        (4000, 0),
        (9000, 0),
    ],
)
def test_length_score(words: int, score: float) -> None:
    assert length_score(1000, words) == pytest.approx(score)


@pytest.mark.parametrize(
    ("length", "range"),
    [(499, "0-500"), (500, "500-2k"), (2000, "2-4k"), (4000, "4k+"), (30000, "4k+")],
)
def test_a_line_of_the_file_is_a_query(length: int, range: str) -> None:
    query = LongBenchWriteQuery.model_validate(LINE | {"length": length})
    assert (query.instruction, query.written_in) == (LINE["prompt"], "en")
    assert (query.asked, query.groups) == (length, ("Popular Science", range))
    assert query.score(length) == 100


def test_the_language_is_that_of_the_prompt() -> None:
    query = LongBenchWriteQuery.model_validate(LINE | {"prompt": "写一篇1000字的中国旅游指南"})
    assert query.written_in == "zh"


@pytest.mark.parametrize("change", [{"prompt": ""}, {"length": 0}, {"length": "long"}])
def test_a_line_that_is_no_query(change: dict) -> None:
    with pytest.raises(ValidationError):
        LongBenchWriteQuery.model_validate(LINE | change)


def test_scaling_changes_the_wording_with_the_length() -> None:
    query = LongBenchWriteQuery.model_validate(LINE).scaled(0.1)
    assert (query.length, query.prompt) == (100, "Write a 100-word travel guide.")
    with pytest.raises(ValueError, match="does not name the length 1000"):
        LongBenchWriteQuery.model_validate(LINE | {"prompt": "Write a guide."}).scaled(0.1)


@pytest.mark.parametrize(
    ("prompt", "length", "scaled"),
    [
        ("扩写成两千字：港口的早晨很安静。", 2000, "扩写成一百字：港口的早晨很安静。"),
        ("A story of at least 6,000 words about 2 ships.", 6000,
         "A story of at least 300 words about 2 ships."),
        ("写一篇小说。\n字数要求：2000左右", 2000, "写一篇小说。\n字数要求：100左右"),
        ("介绍灯塔，300到400字", 400, "介绍灯塔，15到20字"),
        ("写一篇400词的英语作文，2024年用", 400, "写一篇20词的英语作文，2024年用"),
    ],
)  # fmt: skip
def test_lengths_in_other_words_are_scaled(prompt: str, length: int, scaled: str) -> None:
    query = LongBenchWriteQuery(prompt=prompt, type="Literature", length=length).scaled(0.05)
    assert (query.prompt, query.length) == (scaled, length * 0.05)


@pytest.mark.parametrize(
    "prompt", ["出10道关于港口的选择题。", "Write a 50-page novel.", "各写500字"]
)
def test_a_length_that_only_the_file_knows_is_not_scaled(prompt: str) -> None:
    query = LongBenchWriteQuery(prompt=prompt, type="Literature", length=1000)
    with pytest.raises(ValueError, match="does not name the length 1000"):
        query.scaled(0.05)
