"""LonGen: bands, scores, queries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sl_dagster.benchmarks.longen import Band, LonGenQuery, band_of, length_score

LINE = {
    "language": "en",
    "range": "2-4k",
    "type": "range",
    "constraint": "2000-3000 words",
    "query": "Write 2000-3000 words about bridges.",
}


@pytest.mark.parametrize(
    ("type", "constraint", "low", "high"),
    [
        ("about", "about 2000 words", 1600, 2400),
        ("range", "2000字至3000字", 2000, 3000),
        ("above", "more than 2,000 words", 2000, 3000),
        ("below", "小于2000字", 1000, 2000),
        ("below", "少于两千字", 1000, 2000),
    ],
)
def test_bands(type, constraint: str, low: float, high: float) -> None:
    assert band_of(type, constraint) == pytest.approx(Band(low, high))


@pytest.mark.parametrize(
    ("type", "constraint", "problem"),
    [
        ("about", "about a page", "'about' needs one number above 0 in 'about a page', found none"),
        ("about", "2000-3000 words", "needs one number above 0 .* found 2000, 3000"),
        ("range", "2000 words", "'range' needs two numbers above 0 .* found 2000"),
        ("about", "about 0 words", "needs one number above 0 .* found 0"),
        ("range", "3000-2000 words", "ends before it begins"),
        ("about", "五六千字", "五六千 is no number"),
    ],
)
def test_constraints_that_name_no_band(type, constraint: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        band_of(type, constraint)


@pytest.mark.parametrize(
    ("words", "score"),
    [
        (0, 0.0),
        (500, 0.0),
        (750, 0.5),
        (999, 0.998),
        (1000, 1.0),
        (1500, 1.0),
        (2000, 1.0),
        (2500, 0.5),
        (3000, 0.0),
        (9000, 0.0),
    ],
)
def test_score_of_a_length(words: int, score: float) -> None:
    assert length_score(words, Band(1000, 2000)) == pytest.approx(score)


@given(st.integers(0, 30_000), st.integers(1, 10_000), st.integers(0, 10_000))
def test_scores_follow_the_formula(words: int, low: int, width: int) -> None:
    high = low + width
    expected = 1.0
    if words < low:
        expected = max(0, 2 * words / low - 1)
    if words > high:
        expected = max(0, 3 - 2 * words / high)
    assert length_score(words, Band(low, high)) == pytest.approx(expected)
    assert 0 <= length_score(words, Band(low, high)) <= 1


def test_a_line_of_the_file_is_a_query() -> None:
    query = LonGenQuery.model_validate(LINE | {"note": "of no concern"})
    assert (query.instruction, query.written_in) == (LINE["query"], "en")
    assert (query.asked, query.groups) == (2500, ("range", "2-4k"))
    assert [query.score(words) for words in (1000, 2000, 3000, 3750)] == [0, 1, 1, 0.5]


@pytest.mark.parametrize(
    "change",
    [{"type": "around"}, {"language": "fr"}, {"constraint": "long"}, {"query": " "}, {"query": 3}],
)
def test_a_line_that_is_no_query(change: dict) -> None:
    with pytest.raises(ValidationError):
        LonGenQuery.model_validate(LINE | change)


def test_scaling_changes_the_wording_with_the_band() -> None:
    query = LonGenQuery.model_validate(LINE).scaled(0.05)
    assert query.instruction == "Write 100-150 words about bridges."
    assert query.band == (100, 150)
    paraphrased = LonGenQuery.model_validate(LINE | {"query": "Fill ten pages."})
    with pytest.raises(ValueError, match="does not name the length 2000 and 3000"):
        paraphrased.scaled(0.05)


@pytest.mark.parametrize(
    ("type", "constraint", "query", "scaled_constraint", "scaled_query"),
    [
        ("about", "大约2000字", "散文，控制在约2000字。", "大约100字", "散文，控制在约100字。"),
        ("about", "大约4000字", "作传，约四千字。", "大约200字", "作传，约两百字。"),
        ("about", "两千字", "写两千字。", "一百字", "写一百字。"),
        ("range", "2000字至3000字", "2000至3000字。", "100字至150字", "100至150字。"),
        ("range", "4000字至5000字", "一次经历（字数在4000至5000之间）。", "200字至250字",
         "一次经历（字数在200至250之间）。"),
        ("below", "小于5000字", "字数请控制在5000以内。", "小于250字", "字数请控制在250以内。"),
        ("above", "more than 7000 words", "Write over 7,000 words.", "more than 350 words",
         "Write over 350 words."),
        ("about", "around 4000 words", "A 4,000-word piece on 2 poisons.", "around 200 words",
         "A 200-word piece on 2 poisons."),
        ("below", "less than 5000 words", "All within a 5000-word limit.", "less than 250 words",
         "All within a 250-word limit."),
        ("above", "more than 5000 words", "Over 5000 words; abstract: 500 words.",
         "more than 250 words", "Over 250 words; abstract: 25 words."),
    ],
)  # fmt: skip
def test_lengths_in_other_words_are_scaled(
    type, constraint: str, query: str, scaled_constraint: str, scaled_query: str
) -> None:
    line = LINE | {"type": type, "constraint": constraint, "query": query}
    scaled = LonGenQuery.model_validate(line).scaled(0.05)
    assert (scaled.constraint, scaled.query) == (scaled_constraint, scaled_query)
    assert scaled.asked == pytest.approx(0.05 * LonGenQuery.model_validate(line).asked)


@pytest.mark.parametrize(
    "query", ["Write a letter.", "Describe it in about 150 words.", "5 pages, below 3000 words"]
)
def test_a_length_that_the_query_names_otherwise_is_not_scaled(query: str) -> None:
    line = LINE | {"type": "below", "constraint": "less than 3000 words", "query": query}
    with pytest.raises(ValueError, match="its wording"):
        LonGenQuery.model_validate(line).scaled(0.05)
