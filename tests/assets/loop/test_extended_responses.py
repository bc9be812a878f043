"""Which of the extended responses are trained on."""

from pathlib import Path

import pytest

from sl_dagster.assets.loop.extended_responses import reasons_against
from sl_dagster.resources.records import TEXT_SCHEMA, Record
from sl_dagster.resources.storage.stage_store import StageKey, StageStore, StoredStage


@pytest.fixture
def responses(tmp_path: Path) -> StoredStage:
    """Responses of 1 to 40 words, of which each had 10 words before."""
    key = StageKey("e", "round3_stage2", 1)
    with StageStore(data_dir=str(tmp_path)).draft(key, "f", TEXT_SCHEMA) as draft:
        for words in range(1, 41):
            draft.add(
                Record(
                    record_id=f"{words:016x}",
                    experiment="e",
                    iteration=1,
                    stage=key.stage,
                    position=words,
                    language="en",
                    initial_response="word " * 10,
                    text="word " * words,
                )
            )
        return draft.finish({})


def test_what_has_not_grown_goes_and_of_the_rest_the_shorter_ones_do(
    responses: StoredStage,
) -> None:
    reasons = reasons_against(responses, [10] * 40, 1.2, seed=1)
    assert reasons[:12] == ["not_grown"] * 12
    grown = reasons[12:]
    assert "not_grown" not in grown
    assert set(grown[:5]) == {"selection"}  # the shortest fifth never stays
    assert grown[-5:] == [None] * 5


def test_without_a_preference_all_that_have_grown_stay(responses: StoredStage) -> None:
    assert reasons_against(responses, [10] * 40, 1.2, seed=None) == ["not_grown"] * 12 + [None] * 28
    assert reasons_against(responses, [10] * 40, 0.0, seed=None) == [None] * 40
