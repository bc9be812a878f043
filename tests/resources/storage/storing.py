"""Stores a stage and an adapter as a run does: what is then disturbed in many ways.

    python -m tests.resources.storage.storing FOLDER FINGERPRINT [FULL_AT BYTES]

From the step FULL_AT on, files may have so many bytes and no more. That stands for a full disk: a
write beyond that fails in the same way.
"""

import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import dagster as dg

from sl_dagster.disk_errors import disk_errors_explained
from sl_dagster.errors import UserError
from sl_dagster.resources.adapters import CONFIG_FILE, WEIGHTS_FILE
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.io_managers import AdapterIOManager, StageIOManager
from sl_dagster.resources.storage.lengths import LengthsDatabase
from sl_dagster.resources.storage.run_lock import RunLock
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage
from sl_dagster.training.job import TrainingOutcome

SEEDS = StageKey("e", "seeds", None)
LORA = StageKey("e", "generator_lora", None)
RECORDS = 40
OUTCOME = TrainingOutcome(
    examples=1, truncated=0, longest=1, tokens=1, steps=1, seconds=1.0, losses=[]
)
STEPS = {"journal": StageStore, "draft": StageStore, "expect": LengthsDatabase,
         "catch_up": LengthsDatabase, "make_current": AdapterStore}  # fmt: skip


class _Context:
    """As much of Dagster's context as an IO manager looks at."""

    has_asset_partitions = False
    asset_key = dg.AssetKey(["e", "generator_lora"])

    class log:  # noqa: N801
        @staticmethod
        def warning(line: str) -> None:
            print("WARNING", line)


def make_and_store(folder: Path, fingerprint: str, asks: Callable[[int], Any]) -> None:
    """Store a stage and an adapter, as far as they are not there.

    Args:
        folder: the data folder.
        fingerprint: of what both are made from.
        asks: is told of every record that is asked for.

    Raises:
        UserError, dg.Failure: it cannot be written.
    """
    data = str(folder)
    stages, adapters = StageStore(data_dir=data), AdapterStore(data_dir=data)
    lengths, context = LengthsDatabase(data_dir=data), cast(Any, _Context())
    lock = RunLock()
    lock.hold(folder, StageKey("e", "instructions", None), "a run")
    stage = stages.find(SEEDS, fingerprint) or _stage(stages, fingerprint, asks)
    StageIOManager(stages=stages, lengths=lengths).handle_output(context, stage)
    adapter = adapters.find(LORA, fingerprint)
    if not adapter:
        place = adapters.workplace(LORA, fingerprint)
        (place / WEIGHTS_FILE).write_text(fingerprint)
        (place / CONFIG_FILE).write_text('{"r": 1, "lora_alpha": 1, "target_modules": ["a"]}')
        adapter = adapters.adopt(LORA, "generator", fingerprint, OUTCOME)
    AdapterIOManager(adapters=adapters, lengths=lengths).handle_output(context, adapter)
    lock.free()


def _stage(stages: StageStore, fingerprint: str, asks: Callable[[int], Any]) -> StoredStage:
    slots = {number: f"{fingerprint}{number}" for number in range(RECORDS)}
    with disk_errors_explained("the journal"):
        journal = stages.journal(SEEDS, fingerprint, Text)
        for number, slot in slots.items():
            if slot not in journal.outcomes:
                asks(number)
                journal.append(slot, [_record(slot, number)])
    with stages.draft(SEEDS, fingerprint, Text) as draft:
        for slot in slots.values():
            draft.add(journal.read(slot)[0])
        return draft.finish({})


def _record(slot: str, number: int) -> Text:
    return Text(
        record_id=slot,
        parents=("p",),
        experiment="e",
        iteration=0,
        stage="seeds",
        position=number,
        language="en",
        text=f"{number * 7919} " * 90,
    )


def contents(folder: Path) -> list[Any]:
    """What is stored, as it is read."""
    stages, lengths = StageStore(data_dir=str(folder)), LengthsDatabase(data_dir=str(folder))
    stored = AdapterStore(data_dir=str(folder)).read(LORA)
    fingerprint = stored.adapter.verified().fingerprint
    return [list(stages.read(SEEDS).records()), lengths.stats(), fingerprint, {*lengths.adapters()}]


def _full_from(step: str, size: int) -> None:
    work = getattr(STEPS[step], step)

    def full(*arguments: Any) -> Any:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        return work(*arguments)

    setattr(STEPS[step], step, full)


def main() -> None:
    """Store, and print what was asked for and how it ended."""
    folder, fingerprint, *full = sys.argv[1:]
    if full:
        _full_from(full[0], int(full[1]))
    try:
        make_and_store(Path(folder), fingerprint, lambda number: print("ASKED", number))
        print("DONE")
    except (UserError, dg.Failure) as error:
        print("FAILED", getattr(error, "description", None) or error)


if __name__ == "__main__":
    main()
