"""The exported data set: every format holds the same pairs, and tools can read it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import DatasetDict, load_dataset

from sl_dagster.errors import UserError
from sl_dagster.experiment import load_experiment
from sl_dagster.publishing.dataset_export import DatasetExport, DatasetFormat, export_dataset
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from tests.publishing.conftest import PLAIN, WOVEN


@pytest.fixture
def export(
    write_experiment: Callable[..., Path], final_data_set: StageStore, tmp_path: Path
) -> Callable[..., Path]:
    """Exports it in a format, and returns the folder."""

    def exported(format: DatasetFormat, **settings: Any) -> Path:
        experiment = load_experiment(write_experiment(**settings))
        out = tmp_path / format
        counts = export_dataset(DatasetExport(experiment, format, out), final_data_set)
        assert counts == {"train": 2, "validation": 1}
        return out

    return exported


def lines(folder: Path, split: str = "train") -> list[dict[str, Any]]:
    text = (folder / f"{split}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("format", ["parquet", "jsonl"])
def test_datasets_finds_both_splits(export: Callable[..., Path], format: str) -> None:
    folder = export(format)
    loaded = load_dataset(str(folder), cache_dir=str(folder / "cache"))
    assert isinstance(loaded, DatasetDict)
    first, second = loaded["train"].to_list()
    assert first == {
        "query": PLAIN,
        "response": "It was old.\n\nIt stood.",
        "language": "en",
        "kind": "literature",
        "words": 5,
        "constraint": None,
        "constraint_type": None,
        "iteration": 2,
        "stage": "extended_responses",
        "record_id": "source-a",
    }
    assert (second["query"], second["constraint_type"]) == (WOVEN, "about")
    assert loaded["validation"].to_list()[0]["response"] == "Dear guests."


def test_formats_of_other_tools(export: Callable[..., Path]) -> None:
    answer = "Dear friend, 钥匙。"
    assert lines(export("sharegpt"))[1] == {
        "id": "source-b",
        "conversations": [{"from": "human", "value": WOVEN}, {"from": "gpt", "value": answer}],
    }
    assert lines(export("alpaca"))[1] == {"instruction": WOVEN, "input": "", "output": answer}
    assert lines(export("openai-messages"))[1] == {
        "messages": [{"role": "user", "content": WOVEN}, {"role": "assistant", "content": answer}]
    }


def test_the_system_prompt_goes_with_it(export: Callable[..., Path]) -> None:
    said = "You are a writer."
    row = lines(export("sharegpt", system_prompt=said))[0]
    assert row["conversations"][0] == {"from": "system", "value": said}
    assert lines(export("alpaca", system_prompt=said))[0]["system"] == said
    row = lines(export("openai-messages", system_prompt=said))[0]
    assert row["messages"][0] == {"role": "system", "content": said}


def test_the_readme_counts(export: Callable[..., Path]) -> None:
    readme = (export("jsonl") / "README.md").read_text()
    assert "Pairs: train 2, validation 1" in readme
    assert "some/model" in readme


def test_nothing_is_overwritten_and_nothing_half_written(
    export: Callable[..., Path], final_data_set: StageStore, tmp_path: Path
) -> None:
    export("jsonl")
    with pytest.raises(UserError, match="there is something already"):
        export("jsonl")
    final_data_set.read(StageKey("small", "dataset", None)).path.unlink()
    with pytest.raises(UserError, match="small/dataset has not been made yet"):
        export("alpaca")
    assert not (tmp_path / "alpaca").exists()
    assert not list(tmp_path.glob(".*unfinished"))
