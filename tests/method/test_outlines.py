"""Outlines as models write them, and which of them can be written to."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.method.commentary import Cut
from sl_dagster.method.outlines import (
    Section,
    outline_drop_reason,
    parse_outline,
    section_drop_reason,
    section_in,
)
from tests.method.texts import texts

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
        "Chapter Eleven: The old bridge\nChapter Twelve: The storm\nChapter Twenty-One: The end",
        "CHAPTER XI. The old bridge\nCHAPTER XII. The storm\nCHAPTER XIV. The end",
        "Step 1: The old bridge\nStep 2: The storm\nStep 3: The end",
        "Act I - The old bridge\nAct II - The storm\nAct III - The end",
        "[Part 1] The old bridge\n[Part 2] The storm\n[Part 3] The end",
        "**Scene 1: The old bridge**\n**Scene 2: The storm**\n**Scene 3:** The end",
        "第一幕：The old bridge\n第二幕：The storm\n第三幕：The end",
        "第十一章　The old bridge\n第十二章　The storm\n第二十章　The end",
        "【第一回】The old bridge\n【第二回】The storm\n【第三回】The end",
        "步骤一：The old bridge\n步骤二：The storm\n步骤三：The end",
        "第一，The old bridge\n第二，The storm\n第三，The end",
        "① The old bridge\n② The storm\n③ The end",
        "❶The old bridge\n❷The storm\n❸The end",
        "⑴ The old bridge\n⑵ The storm\n⑶ The end",
        "1\ufe0f\u20e3 The old bridge\n2\ufe0f\u20e3 The storm\n3\ufe0f\u20e3 The end",
        "A. The old bridge\nB. The storm\nC. The end",
        "(a) The old bridge\n(b) The storm\n(c) The end",
        "i. The old bridge\nii. The storm\niii. The end",
        "(I) The old bridge\n(II) The storm\n(III) The end",
        "Ⅰ、The old bridge\nⅡ、The storm\nⅢ、The end",
        "1 - The old bridge\n2 - The storm\n3 - The end",
        "[1] The old bridge\n[2] The storm\n[3] The end",
        "1\\. The old bridge\n2\\. The storm\n3\\. The end",
        "1. **The old bridge**\n2. **The storm**\n3. *The end*",
        "- **The old bridge**\n- **The storm**\n- **The end**",
        "**- The old bridge**\n**- The storm**\n**- The end**",
        "- **Chapter 1:** The old bridge\n- **Chapter 2:** The storm\n- **Chapter 3:** The end",
        "● The old bridge\n● The storm\n● The end",
        "•The old bridge\n◦The storm\n▪The end",
        "- [ ] The old bridge\n- [ ] The storm\n- [x] The end",
        "> 1. The old bridge\n> 2. The storm\n> 3. The end",
        "| No. | Section |\n|---|---|\n| 1 | The old bridge |\n| 2 | The storm |\n| 3 | The end |",
        "# A plan\n\n## The old bridge\n\n## The storm\n\n## The end",
        "**The old bridge**\n\n**The storm**\n\n**The end**",
        "__The old bridge__\n__The storm__\n__The end__",
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


@pytest.mark.parametrize(
    "outline",
    [
        "1. The bridge\n1.1 stones\n1.2 wood\n2. The storm\n2.1 night\n2.2 dawn",
        "1. The bridge\n   a) stones\n   b) wood\n2. The storm\n   a) night\n   b) dawn",
        "1. The bridge\na. stones\nb. wood\n2. The storm\na. night\nb. dawn",
        "I. The bridge\n  1. stones\n  2. wood\nII. The storm\n  1. night\n  2. dawn",
        "- The bridge\n  - stones\n  - wood\n- The storm\n  - night\n  - dawn",
        "一、The bridge\n（一）stones\n（二）wood\n二、The storm\n（一）night\n（二）dawn",
        "第一章 The bridge\n第一节 stones\n第二节 wood\n"
        "第二章 The storm\n第一节 night\n第二节 dawn",
        "Part 1: The bridge\nChapter 1: stones\nChapter 2: wood\n"
        "Part 2: The storm\nChapter 3: night\nChapter 4: dawn",
        "**The bridge**\n- stones\n- wood\n\n**The storm**\n- night\n- dawn",
        "## The bridge\n\n- stones\n- wood\n\n## The storm\n\n- night\n- dawn",
        "## The bridge\n1. stones\n2. wood\n## The storm\n1. night\n2. dawn",
        "### The bridge\n#### stones\n#### wood\n### The storm\n#### night\n#### dawn",
    ],
)
def test_nested_lists(outline: str) -> None:
    found = [re.sub(r"\d\.\d ", "", section.text) for section in parse_outline(outline)]
    assert found == ["The bridge stones wood", "The storm night dawn"]


def test_a_title_or_a_single_part_is_no_section() -> None:
    sections = [Section("stones"), Section("wood")]
    assert parse_outline("# The bridge\n\n1. stones\n2. wood") == sections
    assert parse_outline("**The bridge**\n**Outline**\n- stones\n- wood") == sections
    assert parse_outline("Part 1: The bridge\n  Chapter 1: stones\n  Chapter 2: wood") == sections


def test_letters_go_on_where_they_are_also_roman_numerals() -> None:
    letters = "ABCDEFGHIJKL"
    outline = "\n".join(f"{letter}. Stone {number}" for number, letter in enumerate(letters))
    assert parse_outline(outline) == [Section(f"Stone {number}") for number in range(len(letters))]


def test_every_section_keeps_its_paragraphs_but_no_remark_follows() -> None:
    outline = "## 1. The bridge\n\nWho built it.\n\n## 2. The storm\n\nOne night.\n\nShall I begin?"
    texts = [section.text for section in parse_outline(outline)]
    assert texts == ["The bridge Who built it.", "The storm One night."]


@given(st.sampled_from(["Chapter {}: ", "Step {} - ", "{}. "]), st.integers(2, 60))
def test_outlines_of_any_length(mark: str, count: int) -> None:
    expected = [Section(f"About stone {'x' * number}") for number in range(1, count + 1)]
    lines = [mark.format(number) + expected[number - 1].text for number in range(1, count + 1)]
    assert parse_outline("\n".join(lines)) == expected


@given(texts)
def test_any_text_can_be_read(text: str) -> None:
    assert all(section.text.strip() == section.text for section in parse_outline(text))


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
        ("The old bridge, 1k-2k words", 1500),
        ("The old bridge, three hundred words", 300),
        ("老桥的来历，三百字左右", 300),
        ("老桥的来历。字数在500以内", 500),
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
        ("\n".join(f"{n}. Part of the bridge {n}" for n in range(1, 5)), "many_sections"),
        ("1. The old bridge\n2. The storm\n3. The storm", "repeated_section"),
        ("1. 老桥的来历和传说\n2. 一场大风暴", "wrong_language"),
    ],
)
def test_outlines_that_cannot_be_used(outline: str, reason: str | None) -> None:
    assert outline_drop_reason(outline, "en", finish_reason="stop", max_sections=3) == reason


def test_an_outline_that_was_cut_off() -> None:
    outline = "1. The old bridge\n2. The st"
    assert outline_drop_reason(outline, "en", finish_reason="length", max_sections=9) == "truncated"


@pytest.mark.parametrize(
    "before",
    [
        "Here is the final section:",
        "**Here's the introduction:**",
        "Sure! Below is the next section of the essay:",
        "This is the second part of the story:",
        "Here is the revised text:",
        "好的，下面是第二部分：",
    ],
)
def test_what_hands_a_section_over_is_cut_off(before: str) -> None:
    section, after = "The old bridge stood over the river.", "Word count: 40"
    output = f"{before}\n\n{section}\n\n{after}"
    assert section_in(output, "default") == (section, Cut(before, after))
    assert section_in(output, "reference") == (output, Cut())


@pytest.mark.parametrize(
    "section",
    [
        "Here is the river, and here is the part of it: the mill race.",
        "Below is the list of all parts:\n\n- the wheel\n- the race",
        "Part of the bridge fell:\n\nNobody was hurt.",
        "这是桥的一部分。\n\n没有人受伤。",
    ],
)
def test_a_section_that_hands_nothing_over_stays_whole(section: str) -> None:
    assert section_in(section, "default") == (section, Cut())


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
