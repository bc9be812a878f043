"""How long pages of the lineage view take, with a million records in a stage.

A stage of synthetic texts is written through the stage store, its lengths go to the database, and
pages are asked for as a browser does: the first page of the stage, one far behind, what was kept,
words that stand in few texts, all stages of the experiment, and one record. Prints the seconds of
each, the second time that it is asked for.

    python bench/lineage.py                            # 1,000,000 texts of about 1 kB
    python bench/lineage.py --records 100000
"""

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

from starlette.testclient import TestClient

from sl_dagster.lineage.server import lineage_app
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.lengths import LengthsDatabase
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore

KEY = StageKey("bench", "initial_responses", 1)
STAGE = f"/?experiment={KEY.experiment}&iteration=1&stage={KEY.stage}"
FAR = 5_000  # pages
RARE = "zyzzyva"  # in one of a thousand texts


def main() -> None:
    """Write the stage, ask for the pages, and print how long they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        data = Path(name)
        write_stage(data, arguments.records)
        pages = {
            "first page": STAGE,
            f"page {FAR:,}": f"{STAGE}&page={FAR}",
            "kept only": f"{STAGE}&kept=yes",
            "dropped for a reason": f"{STAGE}&reason=looping",
            "a rare word": f"{STAGE}&words={RARE}",
            "a rare word, whole experiment": f"{STAGE}&words={RARE}&where=experiment",
            "one record": f"/record/{id_of(arguments.records // 2)}",
        }
        with TestClient(lineage_app(data), base_url="http://127.0.0.1") as browser:
            for page, address in pages.items():
                seconds = [asked(browser, address) for _ in range(2)][1]
                figures = {"records": arguments.records, "page": page, "seconds": seconds}
                print(json.dumps(figures), flush=True)


def asked(browser: TestClient, address: str) -> float:
    """Seconds until a page is there."""
    start = time.perf_counter()
    browser.get(address).raise_for_status()
    return round(time.perf_counter() - start, 2)


def id_of(position: int) -> str:
    """The id of the record at a position."""
    return f"{position:016x}"


def write_stage(data: Path, records: int) -> None:
    """Texts of about 1 kB, one of twenty dropped."""
    draw = random.Random(records)
    words = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 9))) for _ in range(50_000)]
    pool = " ".join(draw.choices(words, k=400_000))

    def text_at(position: int) -> Text:
        start = draw.randrange(len(pool) - 2_000)
        text = pool[start : start + draw.randint(500, 1_500)]
        return Text(
            record_id=id_of(position),
            experiment=KEY.experiment,
            iteration=1,
            stage=KEY.stage,
            position=position,
            language="en",
            instruction=pool[start : start + 100],
            text=f"{text} {RARE}" if position % 1_000 == 7 else text,
            tokens=len(text) // 4,
            attempt=1,
            finish_reason="stop",
            drop_reason="looping" if position % 20 == 3 else None,
        )

    store = StageStore(data_dir=str(data))
    with store.draft(KEY, "bench", Text) as writing:
        for position in range(records):
            writing.add(text_at(position))
        facts = {"records_in": records, "kept": records, "dropped": {}, "retried": {}}
        store.make_current(writing.finish(facts))
    LengthsDatabase(data_dir=str(data)).catch_up()


if __name__ == "__main__":
    main()
