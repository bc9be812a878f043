"""Experiments side by side, from stored answers."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sl_dagster.cli import app
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment, load_experiment
from sl_dagster.resources.records import Score, Text
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.results.comparison import compared_models, comparison_rows
from tests.stored_stages import made_up, store

FACTS = {"records_in": 2, "kept": 2, "dropped": {}, "retried": {}}


class Data:
    """Stored answers of two experiments."""

    def __init__(self, folder: Path) -> None:
        self.stages = StageStore(data_dir=str(folder))
        self.adapters = AdapterStore(data_dir=str(folder))

    def store(
        self,
        key: StageKey,
        words: list[int],
        tokens: int = 0,
        instruction: str = "Write about a bridge",
        **fields,
    ) -> None:
        records = [
            made_up(
                Score if key.model else Text,
                key,
                place,
                instruction=f"{instruction} {place}.",
                text="word " * count,
                drop_reason=None if place else "unfinished",
                **fields,
            )
            for place, count in enumerate(words)
        ]
        facts = FACTS | {"generated_tokens": tokens}
        store(self.stages.data_dir, key, records, **facts)

    def rows(self, *experiments: Experiment) -> list[dict]:
        return comparison_rows(compared_models(experiments, self.stages, self.adapters))


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path / "data")


@pytest.fixture
def both(write_experiment: Callable[..., Path], data: Data) -> tuple[Experiment, Experiment]:
    """Self-Lengthen with two iterations, and a baseline with one."""
    folder = write_experiment().parent
    (folder / "heldout.jsonl").write_text("")
    (folder / "queries.jsonl").write_text("")
    more = {
        "heldout": {"file": "heldout.jsonl"},
        "benchmarks": {"longen": {"queries": "queries.jsonl"}},
    }
    small = load_experiment(write_experiment(extension={"rounds": 1}, **more))
    planned = load_experiment(write_experiment("planned", method="plan_then_write", **more))
    for name in ("small", "planned"):
        data.store(StageKey(name, "heldout_base", None), [10, 30], tokens=999)
        data.store(StageKey(name, "instructions", 1), [5, 5], tokens=100)
    data.store(StageKey("small", "heldout_responses", 1), [30, 50], tokens=999)
    data.store(StageKey("small", "heldout_responses", 2), [60, 100])
    data.store(StageKey("small", "initial_responses", 1), [20], tokens=200)
    data.store(StageKey("small", "round1_stage1", 1), [20], tokens=300)
    data.store(StageKey("small", "instructions", 2), [20], tokens=7)
    data.store(StageKey("planned", "plans", 1), [20], tokens=40)
    data.store(StageKey("planned", "planned_responses", 1), [20], tokens=2)
    data.store(StageKey("planned", "heldout_responses", 1), [20, 40])
    asked = {"type": "about", "range": "2-4k", "asked": 30.0, "model": "1"}
    key = StageKey("planned", "longen_scores", None, "1")
    data.store(key, [20, 40], score=0.25, **asked)
    return small, planned


def test_what_the_models_write_and_what_they_cost(data: Data, both) -> None:
    rows = data.rows(*both)
    shown = ("experiment", "method", "model", "mean_words", "growth", "longen", "generated_tokens")
    assert [tuple(row[name] for name in shown) for row in rows] == [
        ("small", "self_lengthen", "base", 20.0, 1.0, None, 0),
        ("small", "self_lengthen", "1", 40.0, 2.0, None, 600),
        ("small", "self_lengthen", "2", 80.0, 4.0, None, 607),
        ("planned", "plan_then_write", "base", 20.0, 1.0, None, 0),
        ("planned", "plan_then_write", "1", 30.0, 1.5, 0.25, 142),
    ]
    assert all(row["accepted"] == 0.5 for row in rows)


def test_what_was_asked_differently_is_not_compared(data: Data, both) -> None:
    answers = StageKey("planned", "heldout_responses", 1)
    data.store(answers, [20, 40], instruction="Write about a harbour")
    with pytest.raises(UserError, match="they answer different held-out instructions"):
        data.rows(*both)


def test_an_experiment_without_results_is_named(data: Data, both, write_experiment) -> None:
    other = load_experiment(write_experiment("other"))
    with pytest.raises(UserError, match="other has no measured model yet"):
        data.rows(both[0], other)


def test_the_command_line(data: Data, both, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SL_DAGSTER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SL_DAGSTER_EXPERIMENTS", str(tmp_path / "experiments"))

    def printed(format: str) -> str:
        arguments = ["compare", "-e", "small", "-e", "planned", "--format", format]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    rows = json.loads(printed("json"))
    assert rows == data.rows(*both)
    assert printed("csv").splitlines()[0] == ",".join(rows[0])
    lines = [line.split() for line in printed("table").splitlines()]
    assert ["planned", "1", "30.0", "1.50", "50.0%", "100.0%", "0.25", "142", "0"] in lines
