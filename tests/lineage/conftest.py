"""A stored experiment without any model: the texts are made up, the files are real."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sl_dagster.identity import fingerprint
from sl_dagster.method.prompts import Message
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.records import SFT_SCHEMA, TEXT_SCHEMA, Record
from sl_dagster.resources.storage.lengths import LengthsDatabase
from sl_dagster.resources.storage.stage_store import StageKey, StageStore

SCRIPT = "<script>document.title = 'run'</script><img src=x onerror=alert(1)>"
FIRST = "The bridge is old.\n\nIt stands.\n\nIt ends here."
PREFIX = "The bridge is very old and made of stone."
LONGER = f"{PREFIX}\n\nIt stands.\n\nNobody knows who built it so well.\n\nIt ends here."


class Writer:
    """Writes stages of the experiment ``e`` and notes them in the lengths database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stages = StageStore(data_dir=str(folder))
        self._lengths = LengthsDatabase(data_dir=str(folder))

    def record(self, stage: str, name: str, text: str, *parents: str, **more: Any) -> Record:
        values: dict[str, Any] = {
            "record_id": name, "parents": parents, "experiment": "e", "iteration": 1,
            "stage": stage, "position": 0, "language": "en", "text": text,
            "instruction": None if stage in ("seeds", "instructions") else "Write of a bridge.",
        }  # fmt: skip
        return Record(**values | more)

    def stage(self, name: str, *records: Record) -> None:
        iteration = records[0].iteration or None
        schema = SFT_SCHEMA if records[0].completion else TEXT_SCHEMA
        with self._stages.draft(StageKey("e", name, iteration), name, schema) as draft:
            for record in records:
                draft.add(record) if record.kept else draft.reject(record)
            facts = {"kept": len(records), "dropped": {}, "retried": {}}
            stage = self._stages.publish(draft.finish(facts))
        self._lengths.replace_stage(stage)

    def adapter(self, role: Any, iteration: int) -> None:
        """An adapter as the store describes it; nobody here reads its weights."""
        name = f"{role}-{iteration}"
        self._lengths.remember_adapter("e", Adapter(role, name, "somewhere", iteration))
        folder = self.folder / "e" / f"{role}_lora" / f"iteration={iteration}"
        folder.mkdir(parents=True)
        described = {"role": role, "fingerprint": name, "path": "weights", "iteration": iteration}
        content = {"adapter": described, "made_from": "x", "outcome": None}
        (folder / "adapter.json").write_text(json.dumps(content))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A data folder with one chain: two samples, one of them asked for twice, and a script."""
    write = Writer(tmp_path)
    _write_responses(write)
    source = {"response": FIRST, "initial_response": FIRST}
    write.stage("round1_stage1", write.record("round1_stage1", "p1", PREFIX, "r1", **source))
    extended = write.record("round1_stage2", "x1", LONGER, "p1", initial_response=FIRST)
    failed = replace(extended, record_id="x1.1", kept=False, drop_reason="repetition", attempt=1)
    write.stage("round1_stage2", replace(extended, attempt=2), failed)
    write.stage(
        "extended_responses",
        write.record("extended_responses", "e1", LONGER, "x1", initial_response=FIRST),
    )
    for role in ("generator", "extender"):
        stage = f"{role}_sft"
        chat = {
            "prompt": (Message(role="user", content="Write."),),
            "completion": (Message(role="assistant", content=LONGER),),
        }
        write.stage(stage, write.record(stage, f"t-{role}", None, "e1", **chat))  # type: ignore[arg-type]
        write.adapter(role, 1)
    return tmp_path


def _write_responses(write: Writer) -> None:
    before = {"iteration": 0}
    write.stage(
        "seeds",
        write.record("seeds", "s1", "Write of a road.", **before),
        write.record("seeds", "s2", "Write of a river.", **before),
    )
    write.stage(
        "instructions",
        write.record("instructions", "i1", "Write of a bridge.", "s1", "s2", adapter="base-1"),
    )
    other = write.record(
        "initial_responses", "r2", SCRIPT, "i1", kept=False, drop_reason="bad_ending", position=1
    )
    write.stage("initial_responses", write.record("initial_responses", "r1", FIRST, "i1"), other)


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 10,000 records in each of five stages."""
    write = Writer(tmp_path_factory.mktemp("large"))
    stages = ("instructions", "initial_responses", "round1_stage1", "round1_stage2",
              "extended_responses")  # fmt: skip
    for place, stage in enumerate(stages):
        write.stage(stage, *_many(write, stage, stages[place - 1] if place else None))
    return write.folder


def _many(write: Writer, stage: str, source: str | None) -> list[Record]:
    return [
        write.record(
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
