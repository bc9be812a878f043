"""What an asset's page says of a stage."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, get_args

import pytest
from dagster import MetadataValue

from sl_dagster import method
from sl_dagster.assets.stage.description import StagePage, headline, stage_result
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore
from sl_dagster.resources.storage.stored_stage import StoredStage
from tests.assets.pages import LONGEST_KEY
from tests.lineage.conftest import SCRIPT
from tests.stored_stages import drafted_responses

MEAN = round((1 + 3 + len(SCRIPT.split()) + 100) / 3)


@pytest.fixture
def stage(tmp_path: Path) -> StoredStage:
    store = StageStore(data_dir=str(tmp_path))
    texts = {"a": "One.", "b": f"One two three.\n\n{SCRIPT}", "c": "word " * 100}
    stage = drafted_responses(store, texts)
    stage.manifest["records_in"] = 4
    return stage


def metadata(stage: StoredStage, *arguments, **more) -> dict:
    return dict(stage_result(stage, *arguments, **more).metadata or {})


def test_a_page_begins_with_what_one_looks_for(stage: StoredStage) -> None:
    found = metadata(stage, before=[1, 2, 3])
    assert list(found)[:3] == ["headline", "lengths", "outcomes"]
    lines = found["headline"].value.splitlines()
    assert lines == ["**Iteration 2**  ", "3 of 4 kept  ", f"{MEAN} words on average (before: 2)"]
    own = StagePage(("Loss from 3 to 1",), {"curve": MetadataValue.int(1)}, {"score": 7}, False)
    found = metadata(stage, shown=own)
    assert found["headline"].value == "**Iteration 2**  \nLoss from 3 to 1"
    assert list(found)[:4] == ["headline", "curve", "score", "outcomes"]
    assert not {"lengths", "mean_words"} & set(found)


@pytest.mark.parametrize(
    ("key", "place"),
    [
        (StageKey("e", "heldout_responses", 3), "**Iteration 3**"),
        (StageKey("e", "longen_scores", None, "3"), "**Iteration 3**"),
        (StageKey("e", "longen_scores", None, "base"), "**The base model**"),
        (StageKey("e", "seeds", None), "**78 of 78 kept**"),
    ],
)
def test_a_headline_says_what_the_page_is_about(key: StageKey, place: str) -> None:
    assert str(headline(key, "78 of 78 kept", "more").value).splitlines()[0].strip() == place


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


def test_no_reason_is_so_long_that_its_key_leaves_no_room_for_a_picture() -> None:
    modules = [
        import_module(f"{method.__name__}.{found.name}") for found in iter_modules(method.__path__)
    ]
    kinds = [
        kind for module in modules for name, kind in vars(module).items() if name.endswith("Reason")
    ]
    reasons = {reason for kind in kinds for reason in words_of(kind)}
    assert {"repetition", "near_duplicate", "no_constraint"} <= reasons
    assert [one for one in reasons if len(f"retried_{one}") > LONGEST_KEY] == []


def words_of(kind: Any) -> Iterator[str]:
    """The words of a union of literals."""
    for part in get_args(kind):
        if isinstance(part, str):
            yield part
        else:
            yield from words_of(part)
