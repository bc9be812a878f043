"""A stored experiment without any model: the texts are made up, the files are real."""

import json
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import yaml

from sl_dagster.assets import assets_of
from sl_dagster.assets.stage.stage import Stage
from sl_dagster.benchmarks import BENCHMARKS
from sl_dagster.experiment import Experiment, load_experiment
from sl_dagster.identity import fingerprint
from sl_dagster.method.prompts import Message
from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.resources.records import (
    AlignedExample,
    Example,
    Judgement,
    Pair,
    Record,
    Score,
    Text,
)
from sl_dagster.resources.storage.lengths import LengthsDatabase
from sl_dagster.resources.storage.pending import KnownAdapter
from sl_dagster.resources.storage.stage_key import StageKey
from tests.stored_stages import RecordType, add_to, made_up, store

SCRIPT = "<script>document.title = 'run'</script><img src=x onerror=alert(1)>"
FIRST = "The bridge is old.\n\nIt stands.\n\nIt ends here."
PREFIX = "The bridge is very old and made of stone."
LONGER = f"{PREFIX}\n\nIt stands.\n\nNobody knows who built it so well.\n\nIt ends here."


def links(html: str) -> list[str]:
    """The addresses that a page links to."""
    return [unescape(part.split('"')[0]) for part in html.split('href="')[1:]]


class StageWriter:
    """Writes stages of the experiment ``e`` and notes them in the lengths database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lengths = LengthsDatabase(data_dir=str(folder))

    def text(self, stage: str, name: str, text: str, *parents: str, **more: Any) -> Text:
        return self.record(Text, stage, name, *parents, text=text, **more)

    def record(
        self, kind: type[RecordType], stage: str, name: str, *parents: str, **more: Any
    ) -> RecordType:
        experiment, iteration = more.pop("experiment", "e"), more.pop("iteration", 1)
        key = StageKey.from_name(experiment, stage, iteration or None)
        asked = None if stage in ("seeds", "instructions") else "Write of a bridge."
        columns = {"position": 0, "instruction": asked} | more
        return made_up(kind, key, record_id=name, parents=parents, **columns)

    def stage(self, name: str, *records: Record) -> None:
        first = records[0]
        key = StageKey.from_name(first.experiment, name, first.iteration or None)
        kept, dropped = ([one for one in records if one.kept is good] for good in (True, False))
        stage = store(self.folder, key, kept, dropped, kept=len(records), fingerprint=name)
        add_to(self._lengths, stage)

    def adapter(self, role: Any, iteration: int, experiment: str = "e") -> None:
        """An adapter as the store describes it; nobody here reads its weights."""
        name = f"{role}-{iteration}"
        add_to(self._lengths, KnownAdapter(experiment, iteration, role, name))
        folder = self.folder / experiment / f"{role}_lora" / f"iteration={iteration}"
        folder.mkdir(parents=True)
        described = {"role": role, "fingerprint": name, "path": "weights", "iteration": iteration}
        content = {"adapter": described, "made_from": "x", "outcome": None}
        (folder / "adapter.json").write_text(json.dumps(content))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A data folder with one chain: two samples, one of them asked for twice, and a script."""
    write = StageWriter(tmp_path)
    _write_responses(write)
    source = {"response": FIRST, "initial_response": FIRST}
    write.stage("round1_stage1", write.text("round1_stage1", "p1", PREFIX, "r1", **source))
    extended = write.text("round1_stage2", "x1", LONGER, "p1", initial_response=FIRST)
    failed = replace(extended, record_id="x1.1", kept=False, drop_reason="repetition", attempt=1)
    cut = {"before": "", "after": "I removed <b>repetitive</b> words."}
    write.stage("round1_stage2", replace(extended, attempt=2, commentary=cut), failed)
    write.stage(
        "extended_responses",
        write.text("extended_responses", "e1", LONGER, "x1", initial_response=FIRST),
    )
    for role in ("generator", "extender"):
        stage = f"{role}_sft"
        chat = {
            "prompt": (Message(role="user", content="Write."),),
            "completion": (Message(role="assistant", content=LONGER),),
        }
        write.stage(stage, write.record(Example, stage, f"t-{role}", "e1", **chat))
        write.adapter(role, 1)
    return tmp_path


def _write_responses(write: StageWriter) -> None:
    before = {"iteration": 0}
    write.stage(
        "seeds",
        write.text("seeds", "s1", "Write of a road.", **before),
        write.text("seeds", "s2", "Write of a river.", **before),
    )
    write.stage(
        "instructions",
        write.text("instructions", "i1", "Write of a bridge.", "s1", "s2", adapter="base-1"),
    )
    other = write.text(
        "initial_responses", "r2", SCRIPT, "i1", kept=False, drop_reason="bad_ending", position=1
    )
    write.stage("initial_responses", write.text("initial_responses", "r1", FIRST, "i1"), other)


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 10,000 records in each of five stages."""
    write = StageWriter(tmp_path_factory.mktemp("large"))
    stages = ("instructions", "initial_responses", "round1_stage1", "round1_stage2",
              "extended_responses")  # fmt: skip
    for place, stage in enumerate(stages):
        write.stage(stage, *_many(write, stage, stages[place - 1] if place else None))
    return write.folder


def _many(write: StageWriter, stage: str, source: str | None) -> list[Record]:
    return [
        write.text(
            stage,
            fingerprint(stage, number),
            f"Number {number} is a text with needle{number} in it. " + "It goes on and on. " * 60,
            *([fingerprint(source, number)] if source else []),
            position=number,
            kept=number % 4 > 0,
            drop_reason=None if number % 4 else "repetition",
        )
        for number in range(10_000)
    ]


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """An experiment that has all kinds of stages: it collects, and has a judge and benchmarks."""
    folder = tmp_path_factory.mktemp("experiments")
    settings = {
        "iterations": 2,
        "dataset": {"collect": 1},
        "judge": {"model": str(PROJECT_ROOT / "sl_dagster" / "demo" / "model")},
        "control": None,
    }
    base = yaml.safe_load((PROJECT_ROOT / "experiments" / "demo.yaml").read_text())
    text = yaml.safe_dump(base | settings).replace("../", f"{PROJECT_ROOT}/")
    (folder / "whole.yaml").write_text(text)
    return load_experiment(folder / "whole.yaml")


@pytest.fixture(scope="session")
def whole(everything: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which every stage of ``everything`` is complete, with two records each."""
    write = StageWriter(tmp_path_factory.mktemp("whole"))
    last: dict[int, str] = {}
    stages = [one for one in assets_of(everything) if isinstance(one, Stage) and one.per != "model"]
    for iteration in (0, 1, 2):
        for stage in stages:
            if (stage.per == "experiment") == (iteration == 0):
                _write_two(write, everything.name, stage.name, iteration, last.get(iteration, ""))
                last[iteration] = f"{stage.name}-{iteration}-0"
        for role in everything.roles:
            if iteration:
                write.adapter(role, iteration, everything.name)
    scored = [BENCHMARKS[name].asset for name in everything.benchmarks]
    for model in everything.models:
        for asset in scored:
            _write_two(write, everything.name, f"{asset}/model={model}", 0, "")
        answer = f"{scored[0]}-model={model}-0-0"
        _write_two(write, everything.name, f"quality_scores/model={model}", 0, answer)
    return write.folder


def _write_two(
    write: StageWriter, experiment: str, stage: str, iteration: int, parent: str
) -> None:
    """A kept record and one that was given up, of the kind that the stage has."""
    more: dict[str, Any] = {"experiment": experiment, "iteration": iteration}
    name = stage.replace("/", "-")
    written = f"Written for {stage} in iteration {iteration}."
    kind: type[Record] = Text
    if stage.endswith("_sft"):
        kind = AlignedExample if stage == "aligned_sft" else Example
        more["completion"] = (Message(role="assistant", content=written),)
    elif stage in ("dataset", "length_controlled"):
        kind = Pair
        more |= {"query": "Write of a bridge in 100 words.", "response": written}
    else:
        more["text"] = written
        if stage.startswith("quality_scores"):
            kind = Judgement
        elif "/model=" in stage:
            kind = Score
            more |= {"score": 50.0, "model": stage.partition("=")[2]}
    records = [
        write.record(
            kind, stage, f"{name}-{iteration}-{number}", *([parent] if parent else []),
            position=number, adapter=f"generator-{iteration}" if iteration else None, **more,
        )
        for number in (0, 1)
    ]  # fmt: skip
    write.stage(stage, records[0], replace(records[1], kept=False, drop_reason="repetition"))
