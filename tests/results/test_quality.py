"""Scores of models: means, confidence intervals, and what may be compared."""

from dataclasses import replace

import numpy as np
import pytest

from sl_dagster.errors import UserError
from sl_dagster.method.quality import DIMENSIONS
from sl_dagster.results.quality import OVERALL, QualityRow, check_comparable, estimates

JUDGE = {"model": "m", "revision": "main", "prompt_version": "1", "fingerprint": "f"}


def scores(value: int, **others: int) -> dict[str, int]:
    return dict.fromkeys(DIMENSIONS, value) | others


def row(model: str, **changes) -> QualityRow:
    first = QualityRow("e", model, JUDGE, "i", 1, 1, estimates([("a", scores(5))]))
    return replace(first, **changes)


def test_judgements_of_one_answer_count_as_one() -> None:
    found = estimates([("a", scores(2)), ("a", scores(2)), ("a", scores(2)), ("b", scores(8))])
    assert found["clarity"].mean == found[OVERALL].mean == 5


def test_overall_is_the_mean_of_the_dimensions() -> None:
    assert estimates([("a", scores(3, clarity=10))])[OVERALL].mean == pytest.approx(4)


def test_one_answer_has_no_interval() -> None:
    one = estimates([("a", scores(3)), ("a", scores(5))])["accuracy"]
    assert (one.low, one.mean, one.high) == (4, 4, 4)


def test_equal_answers_have_an_interval_without_width() -> None:
    one = estimates([("a", scores(3)), ("b", scores(3))])["accuracy"]
    assert (one.low, one.mean, one.high) == (3, 3, 3)


def test_the_interval_is_as_wide_as_the_theory_says() -> None:
    draw = np.random.default_rng(1)
    judgements = [(str(k), scores(int(draw.integers(1, 11)))) for k in range(200)]
    one = estimates(judgements)[OVERALL]
    values = [judgement["clarity"] for _, judgement in judgements]
    expected = 2 * 1.96 * np.std(values) / np.sqrt(len(values))
    assert one.high - one.low == pytest.approx(expected, rel=0.1)
    assert one.low < one.mean < one.high
    assert estimates(judgements)[OVERALL] == one, "the draws are seeded"


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    draw = np.random.default_rng(2)
    covered = 0
    for _ in range(40):
        drawn = [(str(k), scores(int(draw.integers(1, 11)))) for k in range(60)]
        one = estimates(drawn)[OVERALL]
        covered += one.low <= 5.5 <= one.high
    assert covered >= 34


def test_different_judges_are_not_compared() -> None:
    other = JUDGE | {"model": "n", "fingerprint": "g"}
    with pytest.raises(UserError, match=r"different judges.*model 1 was judged by n .*base by m "):
        check_comparable([row("base"), row("1", judge=other)])


def test_different_instructions_are_not_compared() -> None:
    with pytest.raises(UserError, match="different instructions"):
        check_comparable([row("base"), row("1"), row("2", instructions="j")])


def test_what_is_alike_is_compared() -> None:
    check_comparable([])
    check_comparable([row("base"), row("1"), row("2")])
