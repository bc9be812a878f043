"""The quality judge's rubric: what it is asked, and what counts as an answer.

The seven dimensions are those of the LonGen benchmark (paper, section 4.1); the wording, in
``rubric.yaml``, is the project's own.
"""

from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from sl_dagster.method.prompts import Message

Grade = Literal[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]


class Grades(BaseModel):
    """The scores of one judgement, 10 being the best."""

    # The title is part of what judges are asked, and so of the fingerprint of what they have said.
    model_config = ConfigDict(extra="forbid", frozen=True, title="QualityScores")

    relevance: Grade
    coherence: Grade
    accuracy: Grade
    consistency: Grade
    clarity: Grade
    creativity: Grade
    engagement: Grade


DIMENSIONS: tuple[str, ...] = tuple(Grades.model_fields)


def quality_question(instruction: str, text: str) -> Message:
    """The message that asks for a judgement of a text written for an instruction."""
    # Not str.format, because only the rubric's own braces are placeholders.
    before, between, after = _split_rubric()
    return Message(role="user", content=before + instruction + between + text + after)


def quality_schema() -> dict[str, Any]:
    """The JSON schema that an answer must fit."""
    return Grades.model_json_schema()


def read_scores(answer: str) -> dict[str, int] | None:
    """The scores of an answer by dimension, or None if it is not what was asked for."""
    try:
        return Grades.model_validate_json(answer).model_dump()
    except ValueError:
        return None


@cache
def _split_rubric() -> tuple[str, str, str]:
    path = Path(__file__).parent / "rubric.yaml"
    question = yaml.safe_load(path.read_text(encoding="utf-8"))["question"]
    before, rest = question.split("{instruction}")
    between, after = rest.split("{text}")
    return before, between, after
