"""The judge: what it asks, what it remembers, and what makes it another judge."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

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


def cut_in_half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def of_another_program(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE judgements (a)")


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def a_file_in_place_of_the_folder(file: Path) -> None:
    shutil.rmtree(file.parent)
    file.parent.write_text("")


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda file: file.write_text("no database " * 99), "move it away"),
    "its header": (lambda file: file.write_bytes(b"\0" * 16 + file.read_bytes()[16:]), "move it"),
    "pages": (lambda file: file.write_bytes(file.read_bytes()[:100] + b"\xff" * 99999), "move it"),
    "half of it": (cut_in_half, "move it away"),
    "another program's": (of_another_program, "move it away"),
    "a folder": (a_folder, "see that it is a file"),
    "no folder": (a_file_in_place_of_the_folder, "see to its folder"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_of_judgements_that_cannot_be_used_is_named(
    judge: Callable[..., Judge], tmp_path: Path, damage: str
) -> None:
    """Before anything is paid for."""
    file = tmp_path / "data" / JUDGEMENTS_FILE
    judged(judge(), engine())
    does, advice = DAMAGES[damage]
    does(file)
    asked = engine()
    with pytest.raises(UserError, match=rf"^{file} cannot be used: .*{advice}"):
        judged(judge(), asked)
    assert asked.requests == []


@pytest.mark.parametrize("before", [True, False])
def test_a_file_that_is_held_is_named(
    judge: Callable[..., Judge], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    monkeypatch.setattr("sl_dagster.resources.judge._SECONDS_TO_WAIT", 0.01)
    one, file, asked = judge(), tmp_path / "data" / JUDGEMENTS_FILE, engine()
    judged(one, asked)
    with closing(sqlite3.connect(file)) as holder:
        holder.execute("BEGIN EXCLUSIVE" if before else "BEGIN IMMEDIATE")
        with pytest.raises(UserError, match=rf"^{file} cannot be used: .*another program holds"):
            judged(judge(), asked, Question("Other.", "Once.", 0, 1))
    assert len(asked.requests) == 1


def test_a_file_that_may_only_be_read_is_named(
    judge: Callable[..., Judge], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For root, too, who may write whatever the file's mode says."""
    file, asked, connect = tmp_path / "data" / JUDGEMENTS_FILE, engine(), sqlite3.connect
    judged(judge(), asked)

    def reading(path: Path, timeout: float) -> sqlite3.Connection:
        return connect(f"file:{path}?mode=ro", timeout=timeout, uri=True)

    monkeypatch.setattr(sqlite3, "connect", reading)
    with pytest.raises(UserError, match=rf"^{file} cannot be used: .*that you may write"):
        judged(judge(), asked, Question("Other.", "Once.", 0, 1))
    assert len(asked.requests) == 1


def test_a_judgement_that_cannot_be_kept_is_told(judge: Callable[..., Judge]) -> None:
    """And not paid for again and again."""
    nothing: Any = None
    odd = ScriptedEngine(lambda request: Completion("{}", 9, nothing, "stop"))
    with pytest.raises(UserError, match="cannot be used: NOT NULL"):
        judged(judge(), odd)
