from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.experiment import Role, stage_place
from sl_dagster.experiment.stages import Method, roles_of, writing_stages


@given(rounds=st.integers(0, 120))
def test_rounds_are_listed_in_the_order_of_their_numbers(rounds: int) -> None:
    stages = [*writing_stages("self_lengthen", rounds), "extended_responses"]
    assert sorted(reversed(stages), key=stage_place) == stages


@pytest.mark.parametrize("role", get_args(Role))
def test_what_a_training_makes_stands_with_what_it_was_trained_on(role: Role) -> None:
    names = ["heldout_responses", f"{role}_sft", f"{role}_lora", "extended_responses"]
    assert sorted(names, key=stage_place)[1:3] == [f"{role}_lora", f"{role}_sft"]


def test_what_is_no_stage_of_the_loop_comes_last_by_its_name() -> None:
    names = ["longen_scores", "aligned_sft", "a_new_one"]
    assert sorted(names, key=stage_place) == ["aligned_sft", "a_new_one", "longen_scores"]


@pytest.mark.parametrize(
    ("method", "rounds", "roles"),
    [
        ("self_lengthen", 3, get_args(Role)),
        ("self_lengthen", 0, ("generator",)),
        ("plan_then_write", 3, ("generator",)),
        ("back_translation", 3, ("generator",)),
    ],
)
def test_who_extends_nothing_trains_no_extender(
    method: Method, rounds: int, roles: tuple[Role, ...]
) -> None:
    assert roles_of(method, rounds) == roles
