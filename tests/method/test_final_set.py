"""Collecting the final data set, its duplicates, its split, its kinds."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.method.final_set import SeenPairs, collect, common_kind, split_of

pairs = st.lists(st.tuples(st.text(), st.text()), max_size=4)


@given(st.lists(st.tuples(pairs, pairs), max_size=4))
def test_every_response_of_every_iteration_once_and_in_order(iterations) -> None:
    expected = [pair for initial, extended in iterations for pair in (*initial, *extended)]
    assert list(collect(iterations)) == expected


def test_one_at_a_time() -> None:
    def endless() -> Iterator[str]:
        while True:
            yield "response"

    assert next(collect([(endless(), endless())])) == "response"


@given(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), max_size=20))
def test_a_pair_is_new_once(found: list[tuple[str, str]]) -> None:
    seen, expected = SeenPairs(), set()
    for query, response in found:
        words = tuple(query.split()), tuple(response.split())
        assert seen.add(query, response) is (words not in expected)
        expected.add(words)


def test_two_responses_to_one_query_are_two_pairs() -> None:
    seen = SeenPairs()
    assert seen.add("Write a letter.", "Dear friend.")
    assert seen.add("Write a letter.", "Dear cousin.")
    assert seen.add("Write a letter. Dear", "friend.")
    assert not seen.add("Write  a letter.", "Dear\nfriend.\n")


@given(st.text(), st.floats(0, 1), st.integers(0, 100))
def test_duplicates_stand_on_the_same_side(instruction: str, share: float, seed: int) -> None:
    side = split_of(instruction, share, seed)
    assert split_of(f" {instruction}\n", share, seed) == side
    assert split_of(f"{instruction.lower()}!", share, seed) == side


def test_the_split_has_its_share_and_is_drawn_anew_by_another_seed() -> None:
    instructions = [f"Write a story about bridge {number}." for number in range(4000)]
    sides = [split_of(instruction, 0.2, 1) for instruction in instructions]
    assert 0.17 < sides.count("validation") / len(sides) < 0.23
    assert sides != [split_of(instruction, 0.2, 2) for instruction in instructions]
    assert {split_of(instruction, 0.0, 1) for instruction in instructions} == {"train"}


def test_a_larger_share_only_adds_to_the_validation_side() -> None:
    for number in range(500):
        if split_of(f"task {number}", 0.1, 1) == "validation":
            assert split_of(f"task {number}", 0.3, 1) == "validation"


def test_a_kind_is_known_only_if_all_agree() -> None:
    assert common_kind(["academic", "academic"]) == "academic"
    assert common_kind(["academic", "personal"]) is None
    assert common_kind(["academic", None]) is None
    assert common_kind([]) is None
