"""Splitting texts for the two stages."""

from hypothesis import given

from sl_dagster.method.paragraphs import first_half, first_two_thirds, split_paragraphs
from tests.method.texts import texts


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


def test_blank_lines_inside_code_split_it_too() -> None:
    assert split_paragraphs("a\n\n```\nb\n\nc\n```\n") == ["a", "```\nb", "c\n```"]


def test_a_very_long_line_is_one_paragraph() -> None:
    line = "word " * 100_000 + "end"
    assert split_paragraphs(f"{line}\r\n{line}") == [line, line]


@given(texts)
def test_nothing_is_lost_and_nothing_invented(text: str) -> None:
    assert "".join("".join(split_paragraphs(text)).split()) == "".join(text.split())


@given(texts)
def test_parts_agree_with_the_definition(text: str) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip().split("\n")
    blocks = [[]]
    for line in lines:
        if line.strip():
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    parts = ["\n".join(block) for block in blocks]
    if len(parts) <= 2:
        parts = [line for line in lines if line.strip()]
    assert split_paragraphs(text) == parts


@given(texts)
def test_half_and_two_thirds_are_beginnings(text: str) -> None:
    parts = split_paragraphs(text)
    half, most = max(1, len(parts) // 2), max(1, 2 * len(parts) // 3)
    assert first_half(text) == "\n\n".join(parts[:half])
    assert first_two_thirds(text) == "\n\n".join(parts[:most])


@given(texts)
def test_the_kind_of_line_ends_does_not_matter(text: str) -> None:
    text = text.replace("\r", "")
    assert split_paragraphs(text.replace("\n", "\r\n")) == split_paragraphs(text)
