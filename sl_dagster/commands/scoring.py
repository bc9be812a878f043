"""LonGen's length score for any file of answers: what ``sl-dagster score`` does."""

import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from sl_dagster.benchmarks.longen import CONSTRAINT_TYPES, band_of, length_score
from sl_dagster.commands.terminal import as_text, errors
from sl_dagster.errors import UserError
from sl_dagster.experiment import describe_problems
from sl_dagster.inputs.json_lines import name_of, numbered_lines, open_lines, parse_object
from sl_dagster.method.length_control import ConstraintType
from sl_dagster.method.words import count_words
from sl_dagster.results.scores import mean_by


class ScoredLine(BaseModel):
    """One answer to be scored; whatever else it holds is of no concern.

    Attributes:
        type: kind of the constraint.
        constraint: the length that was asked for, such as "about 2000 words".
        response: the answer.
    """

    type: ConstraintType
    constraint: str
    response: str


def score(file: str) -> None:
    """Print the scores of a file of answers, and which of its lines have none.

    Args:
        file: its name; ``-`` for standard input.

    Raises:
        UserError: no answer in it can be scored.
    """
    with open_lines(file) as lines:
        found = length_scores(lines)
    print(json.dumps(found, ensure_ascii=False))
    for bad in found.get("unparsed", []):
        where = f"{name_of(file)}:{bad['line']}"
        errors.print(f"{as_text(where)}: not scored: {as_text(bad['problem'])}", soft_wrap=True)
    if not found["n"]:
        raise UserError(f"{name_of(file)}: there is no answer in it that can be scored")


def length_scores(lines: Iterable[bytes]) -> dict[str, Any]:
    """Score a file of answers, holding only the one at hand.

    Args:
        lines: UTF-8, one JSON object each; empty lines are passed over.

    Returns:
        ``about``, ``range``, ``above`` and ``below``: the mean score of the answers to such
        constraints, None where there are none; ``overall``: the mean over all answers; ``n``: how
        many were scored. If there are lines that cannot be scored, ``unparsed`` lists each with its
        number (``line``) and what is wrong with it (``problem``).
    """
    types, scores, unparsed = [], [], []
    for number, line in numbered_lines(lines):
        try:
            answer = ScoredLine.model_validate(parse_object(line))
            band = band_of(answer.type, answer.constraint)
        except ValidationError as error:
            problem = describe_problems(error).replace("\n  ", "; ")
            unparsed.append({"line": number, "problem": problem})
        except ValueError as error:
            unparsed.append({"line": number, "problem": str(error)})
        else:
            types.append(answer.type)
            scores.append(length_score(count_words(answer.response), band))
    means = mean_by(types, scores)
    return {
        **{type: means.get(type) for type in CONSTRAINT_TYPES},
        "overall": sum(scores) / len(scores) if scores else None,
        "n": len(scores),
        **({"unparsed": unparsed} if unparsed else {}),
    }
