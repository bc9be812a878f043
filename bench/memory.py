"""How much memory and time the stages need that no model writes, by the number of records.

For each of three sizes a stage of synthetic responses is written through the stage store, as the
last extension round would leave it. Then `sl-dagster run` selects from it (`extended_responses`)
and makes both training sets, each step with its statistics, samples and rows in the lengths
database, in a process of its own; and `sl-dagster` reads what is stored, to find it up to date and
to print both kinds of statistics. At last the journal of a stage that was killed in its middle is
taken over. Prints, per size and step: the peak of the process's resident memory, its processor
time, and the seconds that passed.

    python bench/memory.py                             # 50,000, 100,000 and 200,000 of 50 kB
    python bench/memory.py --records 20000 --kilobytes 50

Needs about twice as much disk as the largest stage has text; all of it is freed in the end.
"""

# This process must stay small: what a child inherits from it counts as the child's own peak.
import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sl_dagster.resources.records import Text
    from sl_dagster.resources.storage.journal import Journal

EXPERIMENT = "bench"
STEPS = {
    "extended_responses": ["run", "-e", EXPERIMENT, "--iterations", "1", "--only",
                           "extended_responses"],
    "generator_sft": ["run", "-e", EXPERIMENT, "--iterations", "1", "--only", "generator_sft"],
    "extender_sft": ["run", "-e", EXPERIMENT, "--iterations", "1", "--only", "extender_sft"],
    "extended_responses again": ["run", "-e", EXPERIMENT, "--iterations", "1", "--only",
                                 "extended_responses"],
    "stats": ["stats"],
    "stats --dropped": ["stats", "--dropped"],
}  # fmt: skip


def main() -> None:
    """Measure a quarter, half and all of the records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--kilobytes", type=int, default=50, help="mean length of a response")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--step", choices=OWN_STEPS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        size = arguments.kilobytes * 1000
        OWN_STEPS[arguments.step](arguments.folder, arguments.records, size)
        return
    free, needed = shutil.disk_usage(arguments.folder).free, 2 * arguments.records
    if free < needed * arguments.kilobytes * 1000:
        parser.error(f"{arguments.folder} has only {free / 1e9:.0f} GB free")
    for records in (arguments.records // 4, arguments.records // 2, arguments.records):
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            measure(Path(folder), records, arguments.kilobytes)


def measure(folder: Path, records: int, kilobytes: int) -> None:
    """Run all steps on a stage of so many records, and print the figures."""
    environment = os.environ | {
        "SL_DAGSTER_EXPERIMENTS": str(folder / "experiments"),
        "SL_DAGSTER_DATA": str(folder / "data"),
        "DAGSTER_HOME": str(folder / "home"),
    }
    write_experiment(folder / "experiments")
    sizes = ["--records", str(records), "--kilobytes", str(kilobytes)]
    own = {
        step: [__file__, *sizes, "--folder", str(folder / "data"), "--step", step]
        for step in OWN_STEPS
    }
    first, *others = own.items()
    commands = dict([first])
    commands |= {step: ["-m", "sl_dagster.cli", *arguments] for step, arguments in STEPS.items()}
    commands |= dict(others)
    for step, command in commands.items():
        start = time.perf_counter()
        with (folder / "output.txt").open("w") as output:
            process = subprocess.Popen(
                [sys.executable, *command], env=environment, stdout=output, stderr=output
            )
            _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{step} failed:\n{(folder / 'output.txt').read_text()}")
        figures = {
            "records": records,
            "step": step,
            "peak_mib": round(usage.ru_maxrss / 1024),
            "processor_seconds": round(usage.ru_utime + usage.ru_stime, 1),
            "seconds": round(time.perf_counter() - start, 1),
            "data_gb": round(size_of(folder / "data") / 1e9, 2),
        }
        print(json.dumps(figures), flush=True)


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def write_experiment(folder: Path) -> None:
    """An experiment of one extension round; its model is never loaded."""
    folder.mkdir()
    (folder / "seeds.jsonl").write_text('{"instruction": "Write a story.", "language": "en"}\n')
    (folder / f"{EXPERIMENT}.yaml").write_text(
        "base_model: some/model\nseeds: seeds.jsonl\niterations: 1\nextension: {rounds: 1}\n"
    )


def write_stage(data: Path, records: int, characters: int) -> None:
    """The last round's stage."""
    from sl_dagster.resources.records import Text
    from sl_dagster.resources.storage.stage_key import StageKey
    from sl_dagster.resources.storage.stage_store import StageStore

    store = StageStore(data_dir=str(data))
    with store.draft(StageKey(EXPERIMENT, "round1_stage2", 1), "bench", Text) as writing:
        for text in texts(records, characters):
            writing.add(text)
        facts = {"records_in": records, "kept": records, "dropped": {}, "retried": {}}
        store.make_current(writing.finish(facts))


def write_journal(data: Path, records: int, characters: int) -> None:
    """The journal of a stage that was killed when it had half of its records."""
    with contextlib.closing(journal(data)) as writing:
        for text in texts(records // 2, characters):
            writing.append(text.record_id, [text])


def take_over_journal(data: Path, records: int, characters: int) -> None:
    """What the next run does before it asks for the first record that is missing."""
    with contextlib.closing(journal(data)) as taken_over:
        assert len(taken_over.outcomes) == records // 2


OWN_STEPS = {
    "writing the stage": write_stage,
    "writing the journal of half a stage": write_journal,
    "taking it over": take_over_journal,
}


def journal(data: Path) -> "Journal":
    """The journal, open."""
    from sl_dagster.resources.records import Text
    from sl_dagster.resources.storage.stage_key import StageKey
    from sl_dagster.resources.storage.stage_store import StageStore

    return StageStore(data_dir=str(data)).journal(StageKey(EXPERIMENT, "killed", 1), "bench", Text)


def texts(records: int, characters: int) -> "Iterator[Text]":
    """Nine of ten responses have grown, to lengths that differ."""
    import random

    from sl_dagster.resources.records import Text

    draw = random.Random(records)
    words = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 9))) for _ in range(50_000)]
    pool = " ".join(draw.choices(words, k=40 * characters)).replace(" o", ".\n\n")

    def passage(length: int) -> str:
        start = draw.randrange(len(pool) - length)
        return pool[start : start + length] + "."

    for position in range(records):
        length = draw.randint(characters // 2, characters * 3 // 2)
        text = passage(length)
        yield Text(
            record_id=f"{position:016x}",
            experiment=EXPERIMENT,
            iteration=1,
            stage="round1_stage2",
            position=position,
            language="en",
            instruction=passage(200),
            initial_response=passage(length // 5) if position % 10 else text,
            text=text,
            tokens=length // 4,
            attempt=1,
            finish_reason="stop",
        )


if __name__ == "__main__":
    main()
