"""The chain of a record."""

import time
from pathlib import Path

import pytest

from sl_dagster.errors import UserError
from sl_dagster.identity import fingerprint
from sl_dagster.lineage.story import story_of
from tests.lineage.conftest import FIRST, LONGER, StageWriter

CHAIN = ["i1", "r1", "p1", "x1", "e1"]


@pytest.mark.parametrize("start", [*CHAIN, "t-generator", "t-extender"])
def test_the_chain_is_the_same_from_wherever_one_looks(small: Path, start: str) -> None:
    story = story_of(start, small)
    assert [step.record.record_id for step in story.steps] == CHAIN
    assert [source.record_id for source in story.sources] == ["s1", "s2"]
    assert [example.record_id for example in story.examples] == ["t-generator", "t-extender"]
    assert [stored.adapter.fingerprint for stored in story.checkpoints] == [
        "generator-1", "extender-1",
    ]  # fmt: skip
    assert (story.record.record_id, story.missing) == (start, [])
    assert story.instruction == "Write of a bridge."


def test_every_step_says_what_it_added(small: Path) -> None:
    steps = {step.record.stage: step for step in story_of("x1", small).steps}
    added = {
        stage: " ".join(piece.text.strip() for piece in step.pieces if piece.new)
        for stage, step in steps.items()
    }
    assert added["initial_responses"] == ""
    assert "very old and made of stone." in added["round1_stage1"]
    assert steps["round1_stage1"].before == 4, "the first half is a paragraph of four words"
    assert "Nobody knows who built it so well." in added["round1_stage2"]
    assert steps["round1_stage2"].before == len(FIRST.split())
    assert steps["extended_responses"].compared_with == "the initial response"
    assert "".join(piece.text for piece in steps["round1_stage2"].pieces) == LONGER


def test_what_was_given_up_stands_beside_it(small: Path) -> None:
    steps = {step.record.record_id: step for step in story_of("e1", small).steps}
    assert [(r.record_id, r.drop_reason) for r in steps["x1"].attempts] == [("x1.1", "repetition")]
    assert [(r.record_id, r.drop_reason) for r in steps["r1"].siblings] == [("r2", "bad_ending")]
    assert steps["x1"].siblings == []
    rejected = story_of("x1.1", small)
    assert [step.record.record_id for step in rejected.steps] == ["i1", "r1", "p1", "x1.1"]
    assert [r.record_id for r in rejected.steps[-1].attempts] == ["x1"]


def test_a_seed_and_an_unknown_id(small: Path) -> None:
    assert [step.record.record_id for step in story_of("s1", small).steps] == ["s1"]
    with pytest.raises(UserError, match="there is no record nobody"):
        story_of("nobody", small)


def test_an_ancestor_that_was_made_anew_is_named(small: Path) -> None:
    write = StageWriter(small)
    write.stage("initial_responses", write.text("initial_responses", "r9", FIRST, "i1"))
    story = story_of("x1", small)
    assert story.missing == ["r1"]
    assert [step.record.record_id for step in story.steps] == ["p1", "x1", "e1"]


def test_held_out_answers_are_shown_by_iteration(small: Path) -> None:
    write = StageWriter(small)
    write.stage("heldout_base", write.text("heldout_base", "h0", "Short.", iteration=0))
    write.stage("heldout_responses", write.text("heldout_responses", "h1", "Longer than that."))
    for start in ("h0", "h1"):
        assert [s.record.record_id for s in story_of(start, small).steps] == ["h0", "h1"]


def test_ten_thousand_records_do_not_slow_it_down(large: Path) -> None:
    start = time.process_time()
    story = story_of(fingerprint("round1_stage2", 4_321), large)
    assert time.process_time() - start < 10
    assert [step.record.stage for step in story.steps] == [
        "instructions", "initial_responses", "round1_stage1", "round1_stage2",
        "extended_responses",
    ]  # fmt: skip
    assert all("needle4321 " in step.record.written for step in story.steps)
