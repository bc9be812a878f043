"""What becomes of the Extender's enriched first half, and how often both stages ask."""

import asyncio

import pytest

from sl_dagster.assets.loop.round_stage1 import ExtendHalf
from sl_dagster.assets.loop.round_stage2 import ExtendWhole
from sl_dagster.assets.stage.slot import Slot
from sl_dagster.experiment import load_experiment
from sl_dagster.resources.adapters import Adapter
from sl_dagster.resources.records import Text
from tests.assets.loop.extender import AFTER, BEFORE, IDENTITY, RESPONSE, Extender


def test_remarks_on_a_prefix_are_cut_off(write_experiment):
    task = ExtendHalf(load_experiment(write_experiment()), 1)
    task.writer = Adapter("extender", "base-1")
    enriched = "The bridge is very old.\n\nIt is of stone.\n\nIt stands."
    source = Text(**IDENTITY, instruction="Write.", text=RESPONSE)
    ask = Extender([f"{BEFORE}\n\n{enriched}\n\n{AFTER}"], [])
    record = asyncio.run(task.attempt(Slot(IDENTITY, source), 1, ask))
    assert record.kept
    assert record.text == "The bridge is very old.\n\nIt is of stone."
    assert record.commentary == {"before": BEFORE, "after": AFTER}
    assert task.carry(Slot(IDENTITY, source), record).commentary is None


@pytest.mark.parametrize(("temperature", "tries"), [(0.7, 4), (0.0, 1)])
def test_what_is_not_drawn_is_tried_once(write_experiment, temperature, tries):
    sampling = {"temperature": temperature}
    path = write_experiment(extension={"tries": 4, "sampling": sampling})
    for stage in (ExtendHalf, ExtendWhole):
        assert stage(load_experiment(path), 1).tries == tries


def test_only_round_1_makes_several_of_each_response(write_experiment):
    experiment = load_experiment(write_experiment(extension={"rounds": 2, "samples": 3}))
    assert [ExtendHalf(experiment, number).samples for number in (1, 2)] == [3, 1]
    named = ["extension.samples" in ExtendHalf(experiment, number).reads for number in (1, 2)]
    assert named == [True, False]
