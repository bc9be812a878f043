"""The rubric: what is asked, and what counts as an answer."""

import json

import pytest

from sl_dagster.method.quality import DIMENSIONS, quality_question, quality_schema, read_scores

GOOD = dict.fromkeys(DIMENSIONS, 7)


def test_the_question_holds_both_texts_as_they_are_and_every_dimension() -> None:
    content = quality_question("Write of {text} and {instruction}.", "Braces {0} {} {text}.")[
        "content"
    ]
    assert "<assignment>\nWrite of {text} and {instruction}.\n</assignment>" in content
    assert "<text>\nBraces {0} {} {text}.\n</text>" in content
    assert all(f"\n- {name}: " in content for name in DIMENSIONS)


def test_the_schema_demands_every_dimension_and_no_more() -> None:
    schema = quality_schema()
    assert schema["required"] == list(DIMENSIONS) == list(schema["properties"])
    assert schema["additionalProperties"] is False
    assert all(one["enum"] == list(range(1, 11)) for one in schema["properties"].values())


def test_scores_are_read() -> None:
    assert read_scores(json.dumps(GOOD)) == GOOD
    assert read_scores(json.dumps(GOOD, indent=2)) == GOOD


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "7",
        "I would say 7.",
        json.dumps(GOOD)[:-1],
        json.dumps(GOOD | {"clarity": 0}),
        json.dumps(GOOD | {"clarity": 11}),
        json.dumps(GOOD | {"clarity": 7.5}),
        json.dumps(GOOD | {"clarity": None}),
        json.dumps(GOOD | {"length": 7}),
        json.dumps({name: 7 for name in DIMENSIONS[1:]}),
    ],
)
def test_what_is_not_asked_for_has_no_scores(answer: str) -> None:
    assert read_scores(answer) is None
