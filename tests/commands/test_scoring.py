"""LonGen's score of a file of answers."""

import json

import pytest

from sl_dagster.commands.scoring import length_scores


def line(type: str, constraint: str, words: int) -> bytes:
    answer = {"type": type, "constraint": constraint, "response": "word " * words}
    return json.dumps(answer).encode() + b"\n"


def test_means_by_type_and_over_all() -> None:
    lines = [
        line("about", "about 20 words", 20),
        line("about", "about 20 words", 12),
        line("range", "20-30 words", 40),
        line("below", "less than 20 words", 25),
    ]
    scores = length_scores(lines)
    about = (1 + 0.5) / 2
    ranged, below = 3 - 2 * 40 / 30, 3 - 2 * 25 / 20
    assert scores == {
        "about": pytest.approx(about),
        "range": pytest.approx(ranged),
        "above": None,
        "below": pytest.approx(below),
        "overall": pytest.approx((2 * about + ranged + below) / 4),
        "n": 4,
    }


def test_chinese_characters_are_words() -> None:
    answer = {"type": "about", "constraint": "大约十字", "response": "一二三四五六七八九。"}
    found = length_scores([json.dumps(answer).encode()])
    assert found["n"] == 0  # "十" alone is no number of words
    answer["constraint"] = "大约10字"
    assert length_scores([json.dumps(answer).encode()])["about"] == 1


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b"oops", "is not JSON"),
        (b"[1]", "it is not a JSON object"),
        (b'{"type": "about", "constraint": "20 words"}', "response: this key is missing"),
        (b'{"type": "near", "constraint": "20", "response": ""}', "type: expected 'about'"),
        (b'{"type": "range", "constraint": "20", "response": ""}', "'range' needs two numbers"),
        (b'{"type": "about", "constraint": "long", "response": ""}', "found none"),
        (
            b'{"type": "about", "constraint": 20, "response": ""}',
            "constraint: expected text, found 20",
        ),
    ],
)
def test_lines_that_cannot_be_scored_are_listed(bad: bytes, problem: str) -> None:
    good = line("about", "about 20 words", 20)
    scores = length_scores([good, b"\n", bad + b"\n", good])
    assert (scores["n"], scores["overall"]) == (2, 1.0)
    [listed] = scores["unparsed"]
    assert listed["line"] == 3
    assert problem in listed["problem"]
    assert "\n" not in listed["problem"]


def test_nothing_to_score() -> None:
    assert length_scores([]) == {
        "about": None, "range": None, "above": None, "below": None, "overall": None, "n": 0,
    }  # fmt: skip
