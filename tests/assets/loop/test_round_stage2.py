"""What the Extender is asked for when an output was not good enough."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sl_dagster.assets.loop.round_stage2 import ExtendWhole
from sl_dagster.assets.stage.slot import Slot
from sl_dagster.experiment import load_experiment
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.records import Text
from tests.assets.loop.extender import AFTER, BEFORE, IDENTITY, RESPONSE, Extender


@pytest.fixture
def whole(write_experiment: Callable[..., Path]) -> ExtendWhole:
    task = ExtendWhole(load_experiment(write_experiment(extension={"tries": 4})), 1)
    task.writer = Adapter("extender", "base-1")
    return task


def slot(prefix: str) -> Slot[Text]:
    source = Text(
        **IDENTITY, instruction="Write.", initial_response=RESPONSE, response=RESPONSE, text=prefix
    )
    return Slot(IDENTITY, source)


def attempts(task: ExtendWhole, slot: Slot[Text], ask: Extender, count: int) -> list[Text]:
    async def work() -> list[Text]:
        return [await task.attempt(slot, number, ask) for number in range(1, count + 1)]

    return asyncio.run(work())


def test_the_first_attempt_begins_with_the_prefix_of_the_stage_before(whole):
    ask = Extender([], [" It spans the river, and the mill is older still, as nobody knows why."])
    (record,) = attempts(whole, slot("The bridge is very old."), ask, 1)
    assert record.kept
    assert ask.begun == ["The bridge is very old."]
    assert (record.text or "")[: record.prefix_characters] == "The bridge is very old."


def test_a_later_attempt_has_stage_1_write_another_prefix_first(whole):
    ask = Extender(
        ["The old bridge stands.", "Stones make the bridge."],
        [" And", " And", " They have held for three hundred years, longer than the mill by far."],
    )
    records = attempts(whole, slot("The bridge is very old."), ask, 3)

    assert [record.kept for record in records] == [False, False, True]
    # A prefix is asked for with the first half of the response, its continuation with all of it.
    assert ask.begun == [
        "The bridge is very old.",
        "",
        "The old bridge stands.",
        "",
        "Stones make the bridge.",
    ]
    halves = [RESPONSE not in request.message["content"] for request in ask.asked]
    assert halves == [False, True, False, True, False]
    good = records[-1]
    assert (good.text or "")[: good.prefix_characters] == "Stones make the bridge."
    assert good.tokens == len((good.text or "").split())


def test_all_prefixes_and_continuations_are_drawn_apart(whole):
    ask = Extender(["One prefix.", "Two prefixes.", "Three of them."], [" And"] * 4)
    attempts(whole, slot("The bridge is very old."), ask, 4)
    assert len({request.seed for request in ask.asked}) == len(ask.asked) == 7


def test_a_response_that_did_not_grow_goes_on_without_a_prefix(whole):
    asked = slot("The bridge is very old.")
    (record,) = attempts(whole, asked, Extender([], [" And"]), 1)
    carried = whole.carry(asked, record)
    assert carried.text == RESPONSE
    assert carried.prefix_characters is None


def test_a_prefix_that_has_failed_is_not_continued_again(whole):
    ask = Extender(["The bridge is very old.", "The old bridge stands."], [" And", " And"])
    records = attempts(whole, slot("The bridge is very old."), ask, 3)
    assert ask.begun == ["The bridge is very old.", "", "", "The old bridge stands."]
    assert [record.drop_reason for record in records][1] == "same_prefix"


def test_a_prefix_that_is_no_good_is_not_continued(whole):
    said = "one two three four five six seven eight nine ten eleven "
    ask = Extender([said * 2], [" And"])
    records = attempts(whole, slot("The bridge is very old."), ask, 2)
    assert ask.begun == ["The bridge is very old.", ""]
    assert records[1].drop_reason == "repetition"
    assert records[1].prefix_characters is None


def test_on_request_a_later_attempt_begins_with_the_same_prefix(write_experiment, whole):
    path = write_experiment(extension={"new_prefixes": False})
    whole.experiment = load_experiment(path)
    ask = Extender([], [" And", " And"])
    attempts(whole, slot("The bridge is very old."), ask, 2)
    assert ask.begun == ["The bridge is very old."] * 2


def test_remarks_on_an_extended_response_are_cut_off(whole):
    prefix = "The bridge is very old."
    said = f" It spans the river, and the mill is older still, as nobody knows why.\n\n{AFTER}"
    (record,) = attempts(whole, slot(prefix), Extender([], [said]), 1)
    assert record.kept
    assert record.text.endswith("nobody knows why.")
    assert record.commentary == {"before": "", "after": AFTER}
    assert record.text[: record.prefix_characters] == prefix
    assert record.tokens == round(len(said.split()) * len(record.text) / len(prefix + said))
    assert whole.carry(slot(prefix), record).commentary is None


@pytest.mark.parametrize(
    ("prefix", "said", "of_it_prefix"),
    [
        # The turn began with a remark; it ends with one that the prefix had begun.
        (f"{BEFORE}\n\nThe bridge is old.", " So is the mill.", "The bridge is old."),
        ("The bridge is old.\n\nI removed", " repetitive words.", "The bridge is old."),
    ],
)
def test_of_a_prefix_that_is_cut_the_rest_counts(whole, prefix, said, of_it_prefix):
    (record,) = attempts(whole, slot(prefix), Extender([], [said]), 1)
    assert record.commentary
    assert record.text[: record.prefix_characters] == of_it_prefix


def test_a_second_prefix_keeps_what_was_cut_off_when_it_fails(whole):
    said = "one two three four five six seven eight nine ten eleven "
    ask = Extender([f"{BEFORE}\n\n{said * 2}"], [" And"])
    records = attempts(whole, slot("The bridge is very old."), ask, 2)
    assert records[1].drop_reason == "repetition"
    assert records[1].commentary == {"before": BEFORE, "after": ""}


@pytest.mark.parametrize(
    ("number", "initial", "settings", "tries"),
    [
        (2, "The bridge is old.", {}, 1),
        (2, RESPONSE, {}, 4),
        (2, "The bridge is old.", {"growth": 4}, 4),
        (2, "The bridge is old.", {"retry_grown": True}, 4),
        (1, "The bridge is old.", {}, 4),
    ],
)
def test_what_has_grown_is_asked_for_once_more(write_experiment, number, initial, settings, tries):
    path = write_experiment(extension={"rounds": 2, "tries": 4} | settings)
    task = ExtendWhole(load_experiment(path), number)
    source = Text(**IDENTITY, initial_response=initial, response=RESPONSE, text="The bridge")
    assert task.tries_for(Slot(IDENTITY, source)) == tries


def test_with_retry_grown_what_was_stored_before_stays_up_to_date(write_experiment):
    def identity(number: int, **settings: bool) -> list[Any]:
        path = write_experiment(extension={"rounds": 2} | settings)
        return ExtendWhole(load_experiment(path), number).identity()

    assert identity(1) == identity(1, retry_grown=True) == identity(2, retry_grown=True)
    assert identity(2) != identity(2, retry_grown=True)
