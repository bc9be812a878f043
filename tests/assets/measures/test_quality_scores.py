"""The judge on stored answers: every answer is judged, once, and the scores are pinned to it."""

import json
import sqlite3

import pytest

from sl_dagster.method.quality import DIMENSIONS, read_scores
from sl_dagster.resources.judge import JUDGEMENTS_FILE
from sl_dagster.resources.records import Judgement, Text
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage
from tests.assets.conftest import SETTINGS, Project
from tests.assets.pages import assert_one_sees_what_matters, pages
from tests.stored_stages import made_up, store

pytestmark = pytest.mark.integration

# The miniature model knows nothing of judging: what it says is held to the form, and no more.
JUDGE = {"model": SETTINGS["base_model"], "samples": 2}
EVALUATE = ("evaluate", "--experiment", "small")


def answer(project: Project, stage: str, iteration: int | None, texts: list[str]) -> None:
    """Store answers to held-out instructions."""
    key = StageKey("small", stage, iteration)
    asked = "Write a story about the old mill, number"
    records = [
        made_up(Text, key, position, instruction=f"{asked} {position}.", text=text)
        for position, text in enumerate(texts)
    ]
    store(project.data, key, records)


def scores(project: Project, model: str) -> StoredStage:
    key = StageKey("small", "quality_scores", None, model)
    return StageStore(data_dir=str(project.data)).read(key)


def paid_for(project: Project) -> int:
    with sqlite3.connect(project.data / JUDGEMENTS_FILE) as connection:
        return connection.execute("SELECT count(*) FROM judgements").fetchone()[0]


def test_every_answer_is_judged_and_paid_for_once(fresh: Project) -> None:
    project = fresh
    answer(project, "heldout_base", None, ["The mill stood.", "It fell.", "Mara came."])
    answer(project, "heldout_responses", 1, ["The mill stood long.", "It fell down.", "Mara left."])
    project.change(judge=JUDGE)
    result = project.run(*EVALUATE, "--model", "base", "--model", "1")
    assert result.returncode == 0, result.stdout + result.stderr
    stage = scores(project, "1")
    records = list(stage.records(Judgement))
    answers = project.stage("heldout_responses", 1)
    assert {record.parents[0] for record in records} == set(answers.column("record_id"))
    assert len(records) == 2 * len(answers)
    for record in records:
        assert record.scores == read_scores(record.text)
        assert record.scores and set(record.scores) == set(DIMENSIONS)
        assert record.judge["model"] == SETTINGS["base_model"]

    page = pages(project.environment["DAGSTER_HOME"])["quality_scores 1"]
    assert_one_sees_what_matters(page)
    assert list(page)[:2] == ["headline", "mean_scores"]
    assert not {"mean_words", "lengths"} & set(page), "the lengths of grades say nothing"

    before = paid_for(project)
    assert before >= len(records)
    project.change(judge=JUDGE | {"samples": 3})
    assert project.run(*EVALUATE, "--model", "1").returncode == 0
    assert len(scores(project, "1")) == 3 * len(answers)
    assert paid_for(project) == before + len(answers), "two of three were there already"

    table = json.loads(project.run("quality", "-e", "small", "--format", "json").stdout)
    assert [row["model"] for row in table] == ["base", "1"]
    assert all(1 <= row["overall_low"] <= row["overall"] <= row["overall_high"] for row in table)
    shown = project.run("quality", "-e", "small").stdout
    assert f"{table[0]['overall']:.2f}" in shown.partition("overall ")[2].splitlines()[0]

    project.change(judge=JUDGE | {"temperature": 0.5})
    for command in ((*EVALUATE, "--model", "1"), ("quality", "-e", "small")):
        mixed = project.run(*command)
        assert mixed.returncode == 1
        assert "scores of different judges cannot be compared" in mixed.stderr

    aligned = project.run(*EVALUATE, "--model", "aligned")
    assert aligned.returncode == 1
    assert "the aligned model has answered no held-out instructions" in aligned.stderr


def test_a_file_of_answers_is_judged(fresh: Project) -> None:
    fresh.change(judge=JUDGE)
    lines = [
        {"instruction": "Write a story about the old mill.", "response": "The old mill stood."},
        {"query": "Write a letter.", "response": "Dear Mara."},
    ]
    path = fresh.root / "answers.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    first = fresh.run("judge", str(path), "--experiment", "small")
    assert first.returncode == 0, first.stderr
    judged = json.loads(first.stdout)
    assert (judged["n"], judged["unjudged"]) == (2, [])
    assert set(judged["scores"]) == {*DIMENSIONS, "overall"}
    assert [len(several) for several in judged["answers"]] == [2, 2]
    before = paid_for(fresh)
    assert json.loads(fresh.run("judge", str(path), "--experiment", "small").stdout) == judged
    assert paid_for(fresh) == before
