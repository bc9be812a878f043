"""What the Extender gains from its own fine-tuning.

The same responses are extended once, both stages and a single try each, by the bare base model and
by the Extender of every iteration. Shown are the share of extensions that pass the filter and are
longer, and by how much those are longer.

    python bench/extender.py --experiment demo --responses 60
"""

import argparse
import asyncio
import json
import random
from collections.abc import Iterable
from statistics import mean
from typing import Any

from sl_dagster.assets.loop.round_stage1 import ExtendHalf
from sl_dagster.assets.loop.round_stage2 import ExtendWhole
from sl_dagster.assets.stage.run import base_model
from sl_dagster.assets.stage.slot import Slot
from sl_dagster.experiment import Experiment, load_experiment
from sl_dagster.method.words import count_words
from sl_dagster.paths import data_dir, experiments_dir
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.engines import Engine, open_engine
from sl_dagster.resources.records import Text
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore


def main() -> None:
    """Extend the initial responses of every iteration with every Extender, a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", default="demo")
    parser.add_argument("--responses", type=int, default=60)
    arguments = parser.parse_args()
    experiment = load_experiment(experiments_dir() / f"{arguments.experiment}.yaml")
    stages, adapters = StageStore(data_dir=str(data_dir())), AdapterStore(data_dir=str(data_dir()))
    iterations = range(1, experiment.iterations + 1)
    keys = [StageKey(experiment.name, "extender_lora", i) for i in iterations]
    extenders = [base_model(experiment, "extender"), *(adapters.read(key).adapter for key in keys)]
    engine = open_engine(experiment.served)
    with asyncio.Runner() as loop:
        for iteration in iterations:
            stored = stages.read(StageKey(experiment.name, "initial_responses", iteration))
            responses = some_of(stored.records(Text), arguments.responses)
            for extender in extenders:
                work = extend_all(experiment, engine, extender, responses)
                print(json.dumps({"responses_of": iteration, **loop.run(work)}), flush=True)
        engine.close()


def some_of(records: Iterable[Text], count: int) -> list[Text]:
    """So many records, drawn at random, the same ones in every run."""
    everything = list(records)
    return random.Random(0).sample(everything, min(count, len(everything)))


async def extend_all(
    experiment: Experiment, engine: Engine, adapter: Adapter, responses: list[Text]
) -> dict[str, Any]:
    """Extend every response once with one Extender, and sum up what came of it."""
    half, whole = ExtendHalf(experiment, 1), ExtendWhole(experiment, 1)
    half.writer = whole.writer = adapter
    room = asyncio.Semaphore(engine.concurrency)

    async def extend(response: Text) -> Text:
        async with room:
            slot = _slot(response)
            prefix = await half.attempt(slot, 1, engine.complete)
            if not prefix.kept:
                prefix = half.carry(slot, prefix)
            return await whole.attempt(_slot(prefix), 1, engine.complete)

    extended = await asyncio.gather(*map(extend, responses))
    ratios = [
        new.words / count_words(old.text)
        for old, new in zip(responses, extended, strict=True)
        if new.kept
    ]
    return {
        "responses": len(responses),
        "mean_words": round(mean(response.words for response in responses), 1),
        "extender": f"iteration {adapter.iteration}" if adapter.path else "base model",
        "accepted": round(len(ratios) / len(responses), 3),
        "times_longer": round(mean(ratios), 2) if ratios else None,
    }


def _slot(source: Text) -> Slot[Text]:
    """A slot for the next text of a record, under the record's own id."""
    names = ("record_id", "experiment", "iteration", "stage", "position", "language")
    return Slot({name: getattr(source, name) for name in names}, source)


if __name__ == "__main__":
    main()
