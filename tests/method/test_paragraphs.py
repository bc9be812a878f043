"""Splitting texts for the two stages."""

from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.method.paragraphs import first_half, first_two_thirds, split_paragraphs


def test_splits_at_blank_lines() -> None:
    assert split_paragraphs("a\nb\n\nc\n \n\n  d\n\ne\n") == ["a\nb", "c", "  d", "e"]


def test_two_paragraphs_or_fewer_are_split_at_line_ends() -> None:
    assert split_paragraphs("a\nb\n\nc") == ["a", "b", "c"]
    assert split_paragraphs("a\nb") == ["a", "b"]
    assert split_paragraphs("a") == ["a"]
    assert split_paragraphs(" \n\n ") == []


def test_line_ends_of_any_kind() -> None:
    assert split_paragraphs("a\r\n\r\nb\r\rc\n\nd") == ["a", "b", "c", "d"]


def test_half_is_rounded_down_but_never_nothing() -> None:
    assert first_half("a\n\nb\n\nc\n\nd\n\ne") == "a\n\nb"
    assert first_half("a\n\nb\n\nc") == "a"
    assert first_half("a") == "a"


def test_two_thirds_are_rounded_down_but_never_nothing() -> None:
    assert first_two_thirds("a\n\nb\n\nc\n\nd\n\ne") == "a\n\nb\n\nc"
    assert first_two_thirds("a\n\nb\n\nc\n\nd") == "a\n\nb"
    assert first_two_thirds("a") == "a"


@given(st.text(alphabet="ab \n\r"))
def test_nothing_is_lost_and_nothing_invented(text: str) -> None:
    assert "".join("".join(split_paragraphs(text)).split()) == "".join(text.split())


@given(st.text(alphabet="ab \n"))
def test_parts_are_beginnings(text: str) -> None:
    whole = "\n\n".join(split_paragraphs(text))
    assert whole.startswith(first_half(text))
    assert whole.startswith(first_two_thirds(text))
