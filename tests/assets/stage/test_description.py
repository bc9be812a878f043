"""What an asset's page says of a stage."""

from pathlib import Path

import pytest

from sl_dagster.assets.stage.description import stage_result
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.storage.stage_store import StageStore, StoredStage
from tests.lineage.conftest import SCRIPT
from tests.stored_stages import drafted_responses


@pytest.fixture
def stage(tmp_path: Path) -> StoredStage:
    store = StageStore(data_dir=str(tmp_path))
    texts = {"a": "One.", "b": f"One two three.\n\n{SCRIPT}", "c": "word " * 100}
    stage = drafted_responses(store, texts)
    stage.manifest["records_in"] = 4
    return stage


def metadata(stage: StoredStage, *arguments, **more) -> dict:
    return dict(stage_result(stage, *arguments, **more).metadata or {})


def test_samples_are_shown_as_text_and_lead_to_their_records(
    stage: StoredStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SL_DAGSTER_LINEAGE", "http://127.0.0.1:3005/")
    lines = metadata(stage)["sample_texts"].value.splitlines()
    # An indented line is a code block, in which Markdown and HTML mean nothing.
    assert all(line.startswith("    ") for line in lines if "<" in line or "word word" in line)
    assert any("<script>" in line for line in lines)
    assert "**longest, 100 words** ([c](http://127.0.0.1:3005/record/c))" in lines
    assert max(map(len, lines)) < 120, "the page does not wrap a code block"


def test_the_page_names_what_a_stage_was_made_from(stage: StoredStage, tmp_path: Path) -> None:
    extender = Adapter("extender", "abc", str(tmp_path), iteration=1)
    found = metadata(stage, [stage, extender], before=[1, 2, 3])
    stage_page = "/assets/e/initial_responses?partition=2"
    assert found["made_from"].value.splitlines() == [
        f"- [e/initial_responses of iteration 2]({stage_page}), 3 records",
        "- [e/extender_lora of iteration 1](/assets/e/extender_lora?partition=1), adapter `abc`",
    ]
    assert found["mean_words_before"] == 2.0
    assert found["adapter_from"] == "extender_lora of iteration 1"
    address = found["all_records"].value
    assert address.endswith("/?experiment=e&iteration=2&stage=initial_responses")
    base = metadata(stage, [Adapter("generator", "base-1")])
    assert base["made_from"].value == "- the base model, `base-1`"


def test_the_parquet_file_is_named_as_it_is_after_publishing(
    stage: StoredStage, tmp_path: Path
) -> None:
    named = metadata(stage)["parquet"].value
    published = StageStore(data_dir=str(tmp_path)).make_current(stage)
    assert named == str(published.path) == metadata(published)["parquet"].value
