"""The judge: what it asks, what it remembers, and what makes it another judge."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from sl_dagster.errors import UserError
from sl_dagster.experiment import load_experiment
from sl_dagster.method.quality import DIMENSIONS, quality_schema
from sl_dagster.resources.engines import Completion
from sl_dagster.resources.judge import JUDGEMENTS_FILE, GivenScores, Judge, Question
from tests.conftest import ScriptedEngine

SCORES = dict.fromkeys(DIMENSIONS, 6)
QUESTION = Question("Write a story.", "Once.", sample=0, attempt=1)


@pytest.fixture
def judge(write_experiment: Callable[..., Path], tmp_path: Path) -> Callable[..., Judge]:
    def made(**settings) -> Judge:
        path = write_experiment(judge={"model": "judge/model"} | settings)
        return Judge(load_experiment(path).served_judge, tmp_path / "data")

    return made


def engine(answer: str = json.dumps(SCORES)) -> ScriptedEngine:
    return ScriptedEngine(lambda request: Completion(answer, 9, 100, "stop"))


def judged(judge: Judge, engine: ScriptedEngine, question: Question = QUESTION) -> GivenScores:
    return asyncio.run(judge.judge(question, engine.complete))


def test_it_asks_for_json_of_the_rubric_by_its_own_sampling(judge: Callable[..., Judge]) -> None:
    asked = engine()
    assert judged(judge(temperature=0.5), asked).scores == SCORES
    (request,) = asked.requests
    assert request.json_schema == quality_schema()
    assert "Write a story." in request.message["content"]
    assert "Once." in request.message["content"]
    assert (request.sampling.temperature, request.sampling.top_k) == (0.5, 0)
    assert request.sampling.repetition_penalty == 1
    assert request.adapter.path is None


def test_what_has_been_judged_is_never_asked_again(
    judge: Callable[..., Judge], tmp_path: Path
) -> None:
    first, second = engine(), engine("something else")
    assert judged(judge(), first) == judged(judge(), second)
    assert (len(first.requests), len(second.requests)) == (1, 0)
    with sqlite3.connect(tmp_path / "data" / JUDGEMENTS_FILE) as connection:
        (row,) = connection.execute("SELECT model, revision, answer, tokens FROM judgements")
    assert row == ("judge/model", "main", json.dumps(SCORES), 9)


def test_what_is_asked_twice_at_the_same_moment_is_paid_for_once(
    judge: Callable[..., Judge],
) -> None:
    one, asked = judge(), engine()

    async def twice() -> list[GivenScores]:
        return await asyncio.gather(*(one.judge(QUESTION, asked.complete) for _ in range(2)))

    first, second = asyncio.run(twice())
    assert first == second
    assert len(asked.requests) == 1


@pytest.mark.parametrize(
    "other",
    [
        Question("Write a letter.", "Once.", 0, 1),
        Question("Write a story.", "Twice.", 0, 1),
        Question("Write a story.", "Once.", 1, 1),
        Question("Write a story.", "Once.", 0, 2),
    ],
)
def test_another_question_is_asked(judge: Callable[..., Judge], other: Question) -> None:
    asked = engine()
    judged(judge(), asked)
    judged(judge(), asked, other)
    first, second = asked.requests
    assert first.seed != second.seed


@pytest.mark.parametrize(
    "other",
    [
        {"model": "other/model"},
        {"revision": "v2"},
        {"temperature": 0.3},
        {"system_prompt": "Be strict."},
        {"chat_template_kwargs": {"enable_thinking": False}},
        {"engine": {"type": "openai", "base_urls": ["http://x/v1"], "model": "served"}},
    ],
)
def test_what_changes_its_scores_makes_it_another_judge(
    judge: Callable[..., Judge], other: dict
) -> None:
    asked = engine()
    assert judge().identity["fingerprint"] != judge(**other).identity["fingerprint"]
    judged(judge(), asked)
    judged(judge(**other), asked)
    assert len(asked.requests) == 2


def test_where_it_runs_and_how_often_it_is_asked_does_not(judge: Callable[..., Judge]) -> None:
    elsewhere = judge(samples=9, tries=1, engine={"type": "vllm", "options": {"max_num_seqs": 8}})
    assert elsewhere.identity == judge().identity


def test_another_wording_is_another_judge(judge: Callable[..., Judge], monkeypatch) -> None:
    before = judge().identity
    monkeypatch.setattr(
        "sl_dagster.resources.judge.quality_question",
        lambda instruction, text: {"role": "user", "content": "Good?" + instruction + text},
    )
    after = judge().identity
    assert before["prompt_version"] != after["prompt_version"]
    assert before["fingerprint"] != after["fingerprint"]


def test_an_answer_without_scores_is_kept_and_explained(judge: Callable[..., Judge]) -> None:
    answer = judged(judge(), engine("Well written!"))
    assert (answer.scores, answer.drop_reason) == (None, "no_scores")
    assert answer.completion.text == "Well written!"
    cut = ScriptedEngine(lambda request: Completion('{"rel', 3, 100, "length"))
    other = Question("Write a story.", "Once.", 5, 1)
    assert judged(judge(), cut, other).drop_reason == "truncated"
    assert judged(judge(), engine(), other).scores == SCORES, "with more room, it is asked again"


def test_an_experiment_without_a_judge_is_told_where_to_name_one(
    write_experiment: Callable[..., Path],
) -> None:
    with pytest.raises(UserError, match=r"small\.yaml: judge: this section is missing"):
        _ = load_experiment(write_experiment()).served_judge
