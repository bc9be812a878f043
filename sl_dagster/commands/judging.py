"""The quality judge for any file of answers: what ``sl-dagster judge`` does."""

import asyncio
import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, Field

from sl_dagster.commands.project import experiment_named
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment
from sl_dagster.inputs.json_lines import checked_lines
from sl_dagster.paths import data_dir
from sl_dagster.resources.engines import Engine, open_engine
from sl_dagster.resources.judge import GivenScores, Judge, Question
from sl_dagster.results.quality import estimates

_EXPECTED = (
    "expected a JSON object such as "
    '{"instruction": "Write a story about ...", "response": "Once upon a time ..."}'
)


class AnswerLine(BaseModel):
    """One line of a file of answers; whatever else it holds is of no concern."""

    instruction: str = Field(validation_alias=AliasChoices("instruction", "query"))
    response: str


def judge(file: str, experiment: str) -> None:
    """Print the judgements of a file of answers; errors as of ``judge_answers``."""
    named = experiment_named(experiment)
    judged = judge_answers(named, read_answers(file), data_dir())
    print(json.dumps(judged, indent=2, ensure_ascii=False))


def read_answers(file: str) -> list[AnswerLine]:
    """Read a file of answers, one JSON object per line.

    Raises:
        UserError: naming the first line that is no answer, or that there is none.
    """
    answers = [answer for _, answer in checked_lines(file, AnswerLine, _EXPECTED)]
    if not answers:
        raise UserError(f"{file}: there is no answer in it")
    return answers


def judge_answers(experiment: Experiment, answers: list[AnswerLine], data: Path) -> dict[str, Any]:
    """Have the experiment's judge grade answers.

    Args:
        experiment: names the judge, and how often each answer is judged.
        answers: what it judges.
        data: the data folder, which holds the judgements that have been made before.

    Returns:
        ``judge`` (who), ``n`` (answers judged), ``unjudged`` (numbers of those that got no scores,
        the first being 1), ``scores`` (mean and 95 % confidence interval by dimension and overall)
        and ``answers`` (the scores of every judgement, in order).

    Raises:
        UserError: no judge is named, its engine failed, or it never answered with scores.
    """
    served = experiment.served_judge
    judge = Judge(served, data)
    assert experiment.judge
    with contextlib.closing(open_engine(served)) as engine:
        judged = asyncio.run(
            _judge_all(judge, engine, answers, experiment.judge.samples, experiment.judge.tries)
        )
    scores = [[one.scores for one in judgements if one.scores] for judgements in judged]
    flat = [(str(place), one) for place, several in enumerate(scores) for one in several]
    if not flat:
        raise UserError(
            "the judge has answered with no scores at all; one of its answers: "
            f"{judged[0][0].completion.text[:200]!r}"
        )
    return {
        "judge": judge.identity,
        "n": sum(bool(several) for several in scores),
        "unjudged": [number for number, several in enumerate(scores, 1) if not several],
        "scores": {name: asdict(estimate) for name, estimate in estimates(flat).items()},
        "answers": scores,
    }


async def _judge_all(
    judge: Judge, engine: Engine, answers: list[AnswerLine], samples: int, tries: int
) -> list[list[GivenScores]]:
    """For every answer, the last judgement of each of its samples."""
    free = asyncio.Semaphore(engine.concurrency)

    async def one(answer: AnswerLine, sample: int) -> GivenScores:
        attempt = 0
        async with free:
            while True:
                attempt += 1
                question = Question(answer.instruction, answer.response, sample, attempt)
                judgement = await judge.judge(question, engine.complete)
                if judgement.scores or attempt == tries:
                    return judgement

    every = await asyncio.gather(
        *(one(answer, sample) for answer in answers for sample in range(samples))
    )
    return [every[start : start + samples] for start in range(0, len(every), samples)]
