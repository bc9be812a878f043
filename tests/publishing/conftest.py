"""What is there to publish: a final data set, and a trained adapter."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from sl_dagster.resources.records import PAIR_SCHEMA, Record
from sl_dagster.resources.storage.adapter_store import AdapterStore, StoredAdapter
from sl_dagster.resources.storage.stage_store import StageKey, StageStore
from tests.conftest import DEMO_MODEL, OUTCOME

PLAIN = "Write a story about an old bridge."
WOVEN = "Write a letter about a lost key in about 50 words."


def pair(name: str, query: str, response: str, **fields: Any) -> Record:
    return Record(
        record_id=name,
        experiment="small",
        iteration=0,
        stage="dataset",
        position=0,
        query=query,
        response=response,
        instruction=query,
        source_id=f"source-{name}",
        source_stage="extended_responses",
        source_iteration=2,
        **{"language": "en", "split": "train", **fields},
    )


@pytest.fixture
def final_data_set(tmp_path: Path) -> StageStore:
    """A stored data set of three pairs, and a length woven into the query of the second."""
    store = StageStore(data_dir=str(tmp_path / "data"))
    pairs = [
        pair("a", PLAIN, "It was old.\n\nIt stood.", kind="literature"),
        pair("b", "Write a letter about a lost key.", "Dear friend, 钥匙。"),
        pair("c", "Write a speech.", "Dear guests.", split="validation"),
    ]
    woven = replace(
        pairs[1],
        record_id="w",
        parents=("b",),
        query=WOVEN,
        constraint="about 50 words",
        constraint_type="about",
        constraint_words=(50,),
    )
    for stage, records in (("dataset", pairs), ("length_controlled", [woven])):
        with store.draft(StageKey("small", stage, None), "f", PAIR_SCHEMA) as draft:
            for record in records:
                draft.add(record)
            store.publish(draft.finish({}))
    return store


@pytest.fixture
def stored(adapters: AdapterStore) -> StoredAdapter:
    """The stored Extender of iteration 2, an adapter that changes a lot."""
    key = StageKey("small", "extender_lora", 2)
    torch.manual_seed(1)
    model: Any = AutoModelForCausalLM.from_pretrained(DEMO_MODEL)
    lora = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(model, lora).save_pretrained(str(adapters.workplace(key, "m1")))
    stored = adapters.adopt(key, "extender", "m1", OUTCOME)
    adapters.publish(key, stored)
    return stored
