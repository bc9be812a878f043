"""What is there to publish: a final data set, and a trained adapter."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from sl_dagster.resources.records import Pair
from sl_dagster.resources.storage.adapter_store import AdapterStore, StoredAdapter
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from tests.conftest import DEMO_MODEL, OUTCOME
from tests.stored_stages import made_up, store

PLAIN = "Write a story about an old bridge."
WOVEN = "Write a letter about a lost key in about 50 words."


def pair(name: str, query: str, response: str, **columns: Any) -> Pair:
    return made_up(
        Pair,
        StageKey("small", "dataset", None),
        record_id=name,
        query=query,
        response=response,
        instruction=query,
        source_id=f"source-{name}",
        source_iteration=2,
        **columns,
    )


@pytest.fixture
def final_data_set(tmp_path: Path) -> StageStore:
    """A stored data set of three pairs, and a length woven into the query of the second."""
    data = tmp_path / "data"
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
        store(data, StageKey("small", stage, None), records)
    return StageStore(data_dir=str(data))


@pytest.fixture
def stored(adapters: AdapterStore) -> StoredAdapter:
    """The stored Extender of iteration 2, an adapter that changes a lot."""
    key = StageKey("small", "extender_lora", 2)
    torch.manual_seed(1)
    model: Any = AutoModelForCausalLM.from_pretrained(DEMO_MODEL)
    lora = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(model, lora).save_pretrained(str(adapters.workplace(key, "m1")))
    stored = adapters.adopt(key, "extender", "m1", OUTCOME)
    adapters.make_current(key, stored)
    return stored
