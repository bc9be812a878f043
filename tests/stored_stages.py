"""Stages that are stored without having been made: the records are made up, the files are real."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy
from safetensors.numpy import save_file

from sl_dagster.method.prompts import Message
from sl_dagster.method.quality import DIMENSIONS
from sl_dagster.resources.adapters import CONFIG_FILE, WEIGHTS_FILE
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
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage

RecordType = TypeVar("RecordType", bound=Record)

_MESSAGES: dict[str, Any] = {
    "prompt": (Message(role="user", content="Write."),),
    "completion": (Message(role="assistant", content="A text."),),
}
# What the columns that a kind needs have where nobody says.
_COLUMNS: dict[type[Record], dict[str, Any]] = {
    Text: {"text": "A text."},
    Score: {
        "text": "A text.",
        "model": "base",
        "type": "about",
        "range": "2-4k",
        "constraint": "about 100 words",
        "asked": 100.0,
        "score": 0.5,
    },
    Judgement: {
        "text": "{}",
        "judge": dict.fromkeys(("model", "revision", "prompt_version", "fingerprint"), "j"),
        "scores": dict.fromkeys(DIMENSIONS, 7),
    },
    Example: _MESSAGES,
    AlignedExample: _MESSAGES | {"split": "train"},
    Pair: {
        "query": "Write.",
        "response": "A text.",
        "split": "train",
        "source_id": "source",
        "source_stage": "extended_responses",
        "source_iteration": 1,
    },
}


def made_up(
    kind: type[RecordType], key: StageKey, position: int = 0, /, **columns: Any
) -> RecordType:
    """A record of a stage; its id says where it stands, such as ``seeds-0-1``."""
    iteration = key.iteration or 0
    defaults: dict[str, Any] = {
        "record_id": f"{key.name}-{iteration}-{position}",
        "experiment": key.experiment,
        "iteration": iteration,
        "stage": key.name,
        "position": position,
        "language": "en",
    }
    return kind(**defaults | _COLUMNS[kind] | columns)


def drafted(
    stages: StageStore,
    key: StageKey,
    records: Iterable[Record],
    rejected: Sequence[Record] = (),
    *,
    kind: type[Record] | None = None,
    fingerprint: str = "f",
    **facts: Any,
) -> StoredStage:
    """A complete stage that is not published yet.

    Args:
        stages: where it will stand.
        key: which stage.
        records: those that flow on.
        rejected: those that do not.
        kind: of the records; by default that of the first one, or texts.
        fingerprint: of the stage.
        facts: what the stage's file says of them, where it is not what they are.
    """
    records = list(records)
    found = kind or type(next(iter([*records, *rejected]), made_up(Text, key)))
    counts = {"records_in": len(records) + len(rejected), "kept": len(records)}
    with stages.draft(key, fingerprint, found) as draft:
        for record in records:
            draft.add(record)
        for record in rejected:
            draft.reject(record)
        return draft.finish(counts | {"dropped": {}, "retried": {}} | facts)


def store(data: Path | str, key: StageKey, *records: Iterable[Record], **facts: Any) -> StoredStage:
    """Store records as a complete stage of a data folder; arguments are those of ``drafted``."""
    stages = StageStore(data_dir=str(data))
    return stages.make_current(drafted(stages, key, *records, **facts))  # type: ignore[arg-type]


def add_to(lengths: LengthsDatabase, what: StoredStage | KnownAdapter) -> None:
    """Make the database agree with what is stored, or has been."""
    lengths.expect(what.key if isinstance(what, StoredStage) else what)
    lengths.catch_up()


def write_adapter(folder: Path) -> None:
    """The files of a small adapter that nobody has trained."""
    config = {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj"]}
    (folder / CONFIG_FILE).write_text(json.dumps(config))
    save_file({"weights": numpy.zeros(1, "float32")}, folder / WEIGHTS_FILE)


RESPONSES = StageKey("e", "initial_responses", 2)


def response(name: str, text: str, kept: bool = True) -> Text:
    """A model's answer, one of ``RESPONSES``."""
    return made_up(
        Text,
        RESPONSES,
        record_id=name,
        parents=("p1", "p2"),
        instruction="Write.",
        text=text,
        adapter="base-1",
        attempt=1,
        tokens=7,
        finish_reason="stop",
        kept=kept,
        drop_reason=None if kept else "repetition",
    )


def drafted_responses(
    stages: StageStore, texts: dict[str, str], fingerprint: str = "f1"
) -> StoredStage:
    """Kept answers, by their ids, and one that was dropped."""
    records = [response(name, text) for name, text in texts.items()]
    dropped = [response("r", "bad", kept=False)]
    return drafted(
        stages, RESPONSES, records, dropped, fingerprint=fingerprint, dropped={"repetition": 1}
    )
