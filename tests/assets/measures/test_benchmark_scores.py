"""Benchmarks on the miniature model: what is stored for each model, and how models compare."""

import json

import dagster as dg
import pytest

from sl_dagster.benchmarks.longen import band_of, length_score
from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.resources.records import Score
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage
from tests.assets.conftest import Project
from tests.assets.pages import assert_one_sees_what_matters, pages

pytestmark = pytest.mark.integration

LONGEN = str(PROJECT_ROOT / "sl_dagster" / "demo" / "longen.jsonl")
BENCHMARK = {"queries": LONGEN, "limit": 12, "scale": 0.02, "sampling": {"max_tokens": 200}}


def scores_of(project: Project, model: str) -> StoredStage:
    key = StageKey("small", "longen_scores", None, model)
    return StageStore(data_dir=str(project.data)).read(key)


@pytest.fixture
def measured(project: Project) -> Project:
    """A project whose base model and first Generator have been measured."""
    project.change(benchmarks={"longen": BENCHMARK})
    result = project.run("evaluate", "-e", "small", "--model", "base", "--model", "1")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "lengths x 0.02" in result.stdout
    return project


def test_every_model_is_measured_alike(measured: Project, monkeypatch) -> None:
    base, first = (list(scores_of(measured, model).records(Score)) for model in ("base", "1"))
    assert [answer.instruction for answer in base] == [answer.instruction for answer in first]
    assert {answer.model for answer in first} == {"1"}
    assert {answer.adapter for answer in first} == {
        answer.adapter for answer in measured.stage("heldout_responses", 1).records()
    }
    for answer in [*base, *first]:
        assert answer.kept and answer.constraint and answer.constraint in str(answer.instruction)
        band = band_of(answer.type, answer.constraint)  # type: ignore[arg-type]
        assert answer.score == pytest.approx(length_score(answer.words, band))

    of_assets = pages(measured.environment["DAGSTER_HOME"])
    for asset in ("longen_scores base", "longen_scores 1", "model_scores ", "text_decay "):
        assert_one_sees_what_matters(of_assets[asset])
    names = list(of_assets["longen_scores 1"])
    assert names.index("overall") < names.index("kept"), "scores before counts"

    rows = json.loads(measured.run("scores", "-e", "small", "--format", "json").stdout)
    assert [(row["model"], row["answers"]) for row in rows] == [("base", 12), ("1", 12)]
    assert rows[1]["overall"] == pytest.approx(sum(a.score for a in first) / 12)
    about = [answer.score for answer in first if answer.type == "about"]
    assert rows[1]["about"] == pytest.approx(sum(about) / len(about))

    fifths = json.loads(measured.run("decay", "-e", "small", "--format", "json").stdout)
    for row in fifths:
        assert row["texts"] + row["too_short"] == (6 if row["answers_to"] == "heldout" else 12)
    assert {row["answers_to"] for row in fifths} == {"heldout", "longen"}

    traced = measured.run("trace", first[0].record_id, "--format", "json")
    assert json.loads(traced.stdout)["stage"] == "longen_scores/model=1"
    stats = json.loads(measured.run("stats", "-e", "small", "--format", "json").stdout)
    counted = {row["stage"]: row["records"] for row in stats}
    assert counted["longen_scores/model=base"] == counted["longen_scores/model=1"] == 12

    _check_pages(measured, monkeypatch)
    before = scores_of(measured, "1").path.stat().st_mtime_ns
    again = measured.run("evaluate", "-e", "small", "--model", "1")
    assert "up to date" in again.stdout
    assert scores_of(measured, "1").path.stat().st_mtime_ns == before


def _check_pages(project: Project, monkeypatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", project.environment["DAGSTER_HOME"])
    with dg.DagsterInstance.get() as instance:

        def metadata(asset: str) -> dict:
            key = dg.AssetKey(["small", asset])
            event = instance.get_latest_materialization_event(key)
            assert event and event.asset_materialization
            return dict(event.asset_materialization.metadata)

        scores = metadata("longen_scores")
        assert {"overall", "type_about", "range_2-4k", "language_en", "scale"} <= set(scores)
        assert "words asked for" in scores["asked_and_written"].value
        assert [row.data["model"] for row in metadata("model_scores")["scores"].records] == [
            "base",
            "1",
        ]
        assert "data:image/svg+xml;base64," in metadata("text_decay")["longen_decay"].value


def test_an_iteration_measures_decay_but_no_benchmark(finished: Project) -> None:
    assert not (finished.data / "small" / "longen_scores").exists()
    rows = json.loads(finished.run("decay", "-e", "small", "--format", "json").stdout)
    assert {row["model"] for row in rows} >= {"2"}
