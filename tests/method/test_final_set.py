"""Collecting the final data set."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.method.final_set import Pair, collect

pairs = st.lists(st.builds(Pair, st.text(), st.text()), max_size=4)


@given(st.lists(st.tuples(pairs, pairs), max_size=4))
def test_every_response_of_every_iteration_once_and_in_order(iterations) -> None:
    expected = [pair for initial, extended in iterations for pair in (*initial, *extended)]
    assert list(collect(iterations)) == expected


def test_one_at_a_time() -> None:
    def endless() -> Iterator[Pair]:
        while True:
            yield Pair("query", "response")

    assert next(collect([(endless(), endless())])) == Pair("query", "response")
