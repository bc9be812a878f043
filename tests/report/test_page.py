"""The report of a made-up experiment whose files are real: what it says, and that it is safe."""

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment, load_experiment
from sl_dagster.report.page import report_html, report_path, write_report
from sl_dagster.resources.adapters import CONFIG_FILE, WEIGHTS_FILE
from sl_dagster.resources.records import Judgement, Record, Score, Text
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from tests.conftest import OUTCOME, Cli
from tests.lineage.conftest import SCRIPT
from tests.stored_stages import made_up, store

JUDGE = {"model": "org/judge", "revision": "main", "prompt_version": "1", "fingerprint": "j"}
QUERY = {"prompt": "Write about 100 words.", "type": "about", "constraint": "about 100 words"}
HELDOUT = '{"instruction": "Write.", "language": "en"}\n'


class Page(HTMLParser):
    """What a report consists of: its tags with their attributes, and its text by section."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.sections: dict[str, str] = {}
        self._heading = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._heading = tag == "h2"

    def handle_data(self, data: str) -> None:
        if self._heading:
            self.sections[data] = ""
            self._heading = False
        elif self.sections:
            last = list(self.sections)[-1]
            self.sections[last] = " ".join(f"{self.sections[last]} {data}".split())


class Stored:
    """Stores results of the experiment ``small``."""

    def __init__(self, data: Path) -> None:
        self.stages = StageStore(data_dir=str(data))
        self.adapters = AdapterStore(data_dir=str(data))

    def stage(
        self,
        name: str,
        iteration: int | None,
        texts: dict[str, str],
        model: str | None = None,
        kind: type[Record] = Text,
        more: dict[str, Any] | None = None,
        **facts: Any,
    ) -> None:
        """A stage of one record per instruction."""
        key = StageKey("small", name, iteration, model)
        columns = [
            {"parents": (f"a{position}",), "instruction": instruction, "text": text}
            for position, (instruction, text) in enumerate(texts.items())
        ]
        records = [
            made_up(kind, key, position, **one | (more or {}))
            for position, one in enumerate(columns)
        ]
        store(self.stages.data_dir, key, records, **facts)

    def generator(self, iteration: int, seconds: float, gpus: int | None) -> None:
        """A trained adapter, whose weights nobody reads."""
        key = StageKey("small", "generator_lora", iteration)
        folder = self.adapters.workplace(key, "m")
        (folder / WEIGHTS_FILE).write_bytes(b"weights")
        config = {"r": 4, "lora_alpha": 8, "target_modules": ["a"]}
        (folder / CONFIG_FILE).write_text(json.dumps(config))
        outcome = OUTCOME.model_copy(update={"tokens": 2000, "seconds": seconds, "gpus": gpus})
        self.adapters.make_current(key, self.adapters.adopt(key, "generator", "m", outcome))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def stored(data: Path) -> Stored:
    return Stored(data)


@pytest.fixture
def experiment(write_experiment: Callable[..., Path]) -> Callable[..., Experiment]:
    """An experiment with held-out instructions; keywords change its settings."""

    def write(**settings: Any) -> Experiment:
        path = write_experiment(**{"iterations": 2, "languages": ["en"]} | settings)
        for name, content in (("heldout", HELDOUT), ("longen", json.dumps(QUERY) + "\n")):
            (path.parent / f"{name}.jsonl").write_text(content)
        return load_experiment(
            write_experiment(
                **{"iterations": 2, "languages": ["en"], "heldout": {"file": "heldout.jsonl"}}
                | settings
            )
        )

    return write


def page(experiment: Experiment, data: Path) -> Page:
    return Page(report_html(experiment, data))


def test_growth_and_samples_follow_the_same_instructions(
    stored: Stored, experiment: Callable[..., Experiment], data: Path
) -> None:
    stored.stage("heldout_base", None, {"A?": "one two", "B?": "one"})
    # In another order, and after the file was changed.
    stored.stage("heldout_responses", 1, {"C?": "x", "B?": "two words", "A?": "now it is four"})
    stored.stage("heldout_responses", 2, {"A?": "last of A " * 9, "B?": "last of B"})
    sections = page(experiment(), data).sections
    assert "0 (base) 1.5" in sections["Growth"]
    shown = sections["Samples"]
    first = shown.index("A?")
    for text in ("one two", "now it is four", "last of A last of A"):
        assert shown.index(text, first) > first
    assert "C?" not in shown
    assert "names no `control:`" in sections["Growth"]


def test_costs_are_summed_by_stage_and_iteration(
    stored: Stored, experiment: Callable[..., Experiment], data: Path
) -> None:
    made = {"generated_tokens": 1500, "seconds": 1800.0}
    stored.stage("instructions", 1, {"A?": "text"}, **made, gpus=2)
    stored.stage("instructions", 2, {"A?": "text"}, **made, gpus=None)
    stored.generator(1, seconds=3600, gpus=4)
    costs = page(experiment(), data).sections["Costs"]
    assert "instructions 1.000 at least 1.000 3,000 0" in costs
    assert "generator_lora 1.000 4.000 0 2,000" in costs
    assert "1 1.500 5.000 1,500 2,000" in costs
    assert "2 0.500 not recorded 1,500 0" in costs
    assert "in all 2.000 at least 5.000 3,000 2,000" in costs


def test_what_was_dropped_and_overridden_is_told(
    stored: Stored, experiment: Callable[..., Experiment], data: Path
) -> None:
    facts = {"records_in": 4, "kept": 1, "dropped": {"repetition": 2, "selection": 1}}
    changed = {"extension": {"sampling": {"temperature": 1.5}}}
    stored.stage(
        "initial_responses", 2, {"A?": "text"}, **facts, retried={"truncated": 4},
        generated_tokens=9, seconds=1.0, overrides=changed,
    )  # fmt: skip
    sections = page(experiment(seed=7), data).sections
    dropped = sections["What was dropped, and why"]
    assert "initial_responses repetition 2 (25%)" in dropped
    assert "initial_responses truncated 4 (50%), 4 tried again" in dropped
    assert "initial_responses 50% of 4" in sections["Acceptance"]
    configuration = sections["Configuration"]
    assert "initial_responses of iteration 2 extension.sampling.temperature 1.5" in configuration
    assert "seed: 7" in configuration
    assert str(data.parent) not in configuration, "others need not know where it was made"


def test_scores_stand_beside_what_is_missing(
    stored: Stored, experiment: Callable[..., Experiment], data: Path
) -> None:
    answer = {"model": "1", "score": 0.25, "finish_reason": "stop"}
    stored.stage("longen_scores", None, {"A?": "text"}, "1", Score, answer)
    stored.stage("quality_scores", None, {"A?": "{}"}, "1", Judgement, {"judge": JUDGE})
    found = experiment(
        benchmarks={"longen": {"queries": "longen.jsonl"}}, judge={"model": "org/judge"}
    )
    sections = page(found, data).sections
    assert "overall 0.250" in sections["Benchmarks"]
    assert "Not measured yet: longen: model base, longen: model 2" in sections["Benchmarks"]
    quality = sections["Quality, as a judge sees it"]
    assert "by the judge org/judge" in quality
    assert "clarity 7.00 (7.00 to 7.00)" in quality
    assert "Not judged yet: model base, 2, aligned." in quality


def test_what_is_not_made_yet_says_how_to_make_it(
    stored: Stored, experiment: Callable[..., Experiment], data: Path
) -> None:
    stored.stage("seeds", None, {"A?": "text"})
    sections = page(experiment(), data).sections
    for title in ("Growth", "Samples", "Acceptance", "Costs", "Quality along the text"):
        assert "run `sl-dagster run --experiment small`" in sections[title], title
    assert "add `benchmarks:`" in sections["Benchmarks"]
    assert "add `judge:` to small.yaml" in sections["Quality, as a judge sees it"]
    assert sections["What was dropped, and why"] == "Nothing has been dropped."
    without = page(experiment(heldout=...), data).sections
    assert "name a file of them under `heldout:`" in without["Growth"]


def test_texts_are_texts_and_nothing_is_fetched(
    stored: Stored, experiment: Callable[..., Experiment], data: Path
) -> None:
    stored.stage("heldout_base", None, {f"Ask {SCRIPT}": f"Answer {SCRIPT} " * 20})
    html = report_html(experiment(description=SCRIPT), data)
    found = Page(html)
    names = {name for name, _ in found.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "form"}
    for name, attributes in found.tags:
        assert str(attributes.get("src", "data:image/")).startswith("data:image/")
        assert str(attributes.get("href") or "#").startswith("#")
        assert not any(attribute.startswith("on") for attribute in attributes), name
    assert "url(" not in html and "@import" not in html
    assert f"Answer {SCRIPT}" in found.sections["Samples"]
    assert sum(name == "img" for name, _ in found.tags) == 2


def test_nothing_stored_is_an_error(experiment: Callable[..., Experiment], data: Path) -> None:
    with pytest.raises(UserError, match=r"nothing stored of small .*: run `sl-dagster run"):
        write_report(experiment(), data)
    assert not report_path("small", data).exists()


def test_only_a_report_is_replaced(
    stored: Stored, experiment: Callable[..., Experiment], data: Path, tmp_path: Path
) -> None:
    stored.stage("seeds", None, {"A?": "text"})
    mine = tmp_path / "notes.html"
    mine.write_text("<p>mine</p>")
    with pytest.raises(UserError, match="is no report: name another file"):
        write_report(experiment(), data, mine)
    assert mine.read_text() == "<p>mine</p>"
    for folder in (tmp_path, Path(), Path(), Path("/")):
        with pytest.raises(UserError, match="is a folder"):
            write_report(experiment(), data, folder)
    with pytest.raises(UserError, match="cannot be written"):
        write_report(experiment(), data, mine / "below.html")
    path = write_report(experiment(), data)
    assert write_report(experiment(), data) == path == report_path("small", data)
    assert [file.name for file in path.parent.glob("*report*")] == ["report.html"]


def test_the_command_line_writes_it(
    stored: Stored,
    experiment: Callable[..., Experiment],
    cli: Cli,
    tmp_path: Path,
) -> None:
    experiment()
    result = cli("report", "--experiment", "small")
    assert (result.returncode, "nothing stored of small" in result.stderr) == (1, True)
    stored.stage("seeds", None, {"A?": "text"})
    out = tmp_path / "mine.html"
    result = cli("report", "--experiment", "small", "--out", str(out))
    assert result.returncode == 0, result.stderr
    assert "mine.html" in result.stdout
    assert "<h1>small</h1>" in out.read_text()
