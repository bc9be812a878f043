"""Scores as rows of a table."""

from sl_dagster.results.scores import Scores, score_rows


def test_groups_hide_no_column_and_no_other_group() -> None:
    groups = {
        "type": {"model": 0.1, "letter": 0.2},
        "range": {"letter": 0.3, "mean_words": 0.4},
        "language": {"en": 0.5},
    }
    [row] = score_rows([Scores("b", "base", 2, 0.5, groups, 100.0, 90.0, 1.0, 0.0)])
    assert (row["model"], row["mean_words"]) == ("base", 100.0)
    assert (row["type: model"], row["letter"], row["range: letter"]) == (0.1, 0.2, 0.3)
    assert (row["range: mean_words"], row["en"]) == (0.4, 0.5)
