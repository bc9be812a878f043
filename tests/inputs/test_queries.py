"""Reading benchmarks' queries."""

import json
from pathlib import Path
from typing import Any

import pytest

from sl_dagster.errors import UserError
from sl_dagster.experiment import Benchmark
from sl_dagster.inputs.queries import read_queries
from sl_dagster.paths import PROJECT_ROOT

Row = dict[str, Any]


def row(language: str, number: int) -> Row:
    return {
        "language": language,
        "range": "2-4k",
        "type": "about",
        "constraint": "about 2000 words",
        "query": f"Query {number} in about 2000 words.",
    }


ROWS = [row("zh", number) for number in range(5)] + [row("en", number) for number in range(5, 15)]


def read(path: Path, languages=("zh", "en"), **settings) -> list[str]:
    benchmark = Benchmark(queries=str(path), **settings)
    return [query.instruction for query in read_queries("longen", benchmark, languages).chosen]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "queries.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in ROWS), encoding="utf-8")
    return path


def test_all_queries_in_order(file: Path) -> None:
    assert read(file) == [one["query"] for one in ROWS]


def test_only_the_experiments_languages(file: Path) -> None:
    assert read(file, languages=("zh",)) == [one["query"] for one in ROWS[:5]]


def test_a_limit_draws_from_the_whole_file(file: Path) -> None:
    assert read(file, limit=3) == [ROWS[place]["query"] for place in (0, 5, 10)]
    assert read(file, limit=100) == [one["query"] for one in ROWS]


def test_a_scale_changes_what_is_asked(file: Path) -> None:
    assert read(file, scale=0.05, limit=1) == ["Query 0 in about 100 words."]


def test_the_hub_is_asked_for_what_is_no_file(tmp_path: Path, monkeypatch) -> None:
    # In place of the hub, `datasets` takes a folder of this name.
    (tmp_path / "owner" / "queries").mkdir(parents=True)
    data = tmp_path / "owner" / "queries" / "test.jsonl"
    data.write_text("".join(json.dumps(one) + "\n" for one in ROWS), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    benchmark = Benchmark(queries="owner/queries")
    assert len(read_queries("longen", benchmark, ("zh", "en")).chosen) == len(ROWS)
    data.write_text(json.dumps(ROWS[0] | {"type": "near"}) + "\n", encoding="utf-8")
    with pytest.raises(UserError, match="owner/queries, split test, row 1: type: expected 'about'"):
        read_queries("longen", benchmark, ("zh", "en"))


def test_a_hub_that_does_not_answer(monkeypatch) -> None:
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="nobody/nothing: cannot be loaded from the Hugging Face"):
        read_queries("longen", Benchmark(queries="nobody/nothing"), ("en",))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{oops\n", "queries.jsonl, line 1: is not JSON"),
        ('{"query": "x"}\n', "queries.jsonl, line 1: language: this key is missing"),
        ("", "queries.jsonl: no query in zh or en among its 0"),
    ],
)
def test_what_is_wrong_is_named(file: Path, content: str, problem: str) -> None:
    file.write_text(content)
    with pytest.raises(UserError, match=problem):
        read(file)


def test_what_cannot_be_scaled_is_left_out_and_said(file: Path) -> None:
    unnamed = json.dumps(ROWS[0] | {"query": "Write two pages."}) + "\n"
    file.write_text(unnamed + file.read_text(encoding="utf-8") + unnamed, encoding="utf-8")
    benchmark = Benchmark(queries=str(file), scale=0.5, limit=3)
    queries = read_queries("longen", benchmark, ("zh", "en"))
    assert [query.instruction for query in queries.chosen] == [
        f"Query {number} in about 1000 words." for number in (0, 5, 10)
    ]
    first, last = queries.left_out
    assert first.startswith(f"{file}, line 1: cannot be scaled: its wording does not name the")
    assert last.startswith(f"{file}, line {len(ROWS) + 2}: ")
    unscaled = read_queries("longen", Benchmark(queries=str(file)), ("zh", "en"))
    assert (len(unscaled.chosen), unscaled.left_out) == (len(ROWS) + 2, [])


def test_a_file_that_cannot_be_scaled_at_all(file: Path) -> None:
    file.write_text(json.dumps(ROWS[0] | {"query": "Write two pages."}) + "\n")
    with pytest.raises(UserError, match=r"line 1: cannot be scaled: .* remove `scale`"):
        read(file, scale=0.5)


def test_the_demos_queries_cover_everything() -> None:
    benchmark = Benchmark(queries=str(PROJECT_ROOT / "sl_dagster" / "demo" / "longen.jsonl"))
    queries = read_queries("longen", benchmark, ("en",)).chosen
    cells = [query.groups for query in queries]
    assert len(cells) == 24 and all(cells.count(cell) == 2 for cell in cells)
    assert {range for _, range in cells} == {"2-4k", "4-6k", "6-8k"}
