"""Outlines as models write them, and which of them can be written to."""

import pytest

from sl_dagster.method.outlines import (
    Section,
    outline_drop_reason,
    parse_outline,
    section_drop_reason,
)

BRIDGE = [Section("The old bridge"), Section("The storm"), Section("The end")]


@pytest.mark.parametrize(
    "outline",
    [
        "1. The old bridge\n2. The storm\n3. The end",
        "1) The old bridge\n\n2) The storm\n\n3) The end\n\nShall I begin?",
        "(1) The old bridge\n(2) The storm\n(3) The end",
        "Here is the plan:\n\n  1. The old bridge\n  2. The storm\n  3. The end",
        "- The old bridge\n- The storm\n- The end",
        "* The old bridge\n• The storm\n+ The end",
        "- 1. The old bridge\n- 2. The storm\n- 3. The end",
        "I. The old bridge\nII. The storm\nIII. The end",
        "Section 1: The old bridge\nSection 2: The storm\nSection 3: The end",
        "Paragraph 1 - The old bridge\nparagraph two - The storm\nParagraph III. The end",
        "# A plan\n\n## 1. The old bridge\n## 2. The storm\n## 3. The end",
        "**1. The old bridge**\n**2. The storm**\n**3.** The end",
        "一、The old bridge\n二、The storm\n三、The end",
        "（一）The old bridge\n（二）The storm\n（三）The end",
        "第一部分：The old bridge\n第二部分：The storm\n第三部分：The end",
        "第1章 The old bridge\n第2章 The storm\n第3章 The end",
        "1、The old bridge\n2、The storm\n3、The end",
        "１. The old bridge\n２．The storm\n３：The end",
    ],
)
def test_kinds_of_lists(outline: str) -> None:
    assert parse_outline(outline) == BRIDGE


def test_what_stands_below_a_section_belongs_to_it() -> None:
    outline = "1. The old bridge\n   - who built it\n   - 1.5 m wide\n\n2. The storm\nat night\n"
    texts = [section.text for section in parse_outline(outline)]
    assert texts == ["The old bridge who built it 1.5 m wide", "The storm at night"]
    outline = "一、老桥\n1. 来历\n2. 样子\n二、风暴\n\n以上是提纲。"
    assert [section.text for section in parse_outline(outline)] == ["老桥 来历 样子", "风暴"]
    outline = "1. The bridge\n    1. its stones\n2. The storm"
    texts = [section.text for section in parse_outline(outline)]
    assert texts == ["The bridge its stones", "The storm"]


def test_a_number_with_decimals_is_no_mark() -> None:
    assert parse_outline("1.5 metres of stone\n2.5 metres of wood") == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("The old bridge (400 words)", 400),
        ("The old bridge - Word Count: 1,200 words", 1200),
        ("The old bridge. Word count: 250", 250),
        ("A 300-word opening", 300),
        ("The bridge, 500-700 words", 600),
        ("The bridge, 500 to 700 words", 600),
        ("What 3 words mean, in 400 words", 400),
        ("老桥的来历（约500字）", 500),
        ("老桥的来历，500至700个字", 600),
        ("老桥的来历。字数：800", 800),
        ("The year 1900", None),
    ],
)
def test_numbers_of_words(line: str, words: float | None) -> None:
    [section, _] = parse_outline(f"1. {line}\n2. The end")
    assert section == Section(line, words)


@pytest.mark.parametrize(
    ("outline", "reason"),
    [
        ("1. The old bridge\n2. The storm", None),
        ("I would rather not plan anything.", "no_outline"),
        ("", "no_outline"),
        ("1.\n2.\n", "no_outline"),
        ("1. The old bridge", "one_section"),
        ("\n".join(f"{n}. Part of the bridge {n}" for n in range(1, 5)), "too_many_sections"),
        ("1. The old bridge\n2. The storm\n3. The storm", "repeated_section"),
        ("1. 老桥的来历和传说\n2. 一场大风暴", "wrong_language"),
    ],
)
def test_outlines_that_cannot_be_used(outline: str, reason: str | None) -> None:
    assert outline_drop_reason(outline, "en", finish_reason="stop", max_sections=3) == reason


def test_an_outline_that_was_cut_off() -> None:
    outline = "1. The old bridge\n2. The st"
    assert outline_drop_reason(outline, "en", finish_reason="length", max_sections=9) == "truncated"


def test_sections_after_which_a_text_is_lost() -> None:
    said = "The old bridge stood over the river for many long years."

    def reason(section: str, finish_reason: str = "stop", before: str = "") -> str | None:
        text = f"{before}\n\n{section}"
        return section_drop_reason(section, text, "en", finish_reason=finish_reason)

    assert reason(said) is None
    assert reason(said, before="Nobody knew.") is None
    assert reason(said, before=said) == "repetition"
    assert reason(said, "length") == "truncated"
    assert reason(said, "repetition") == "looping"
    assert reason(" \n") == "empty_section"
