"""What models say about their writing is cut off, and what they write is not."""

import pytest

from sl_dagster.method.commentary import Cut, has_commentary, without_commentary
from tests.method.wordings import EXPLAINED, GOOD_BEGINNINGS, GOOD_ENDS, HANDED_OVER

STORY = "The harbour woke slowly.\n\nGulls circled the empty quay while Mara counted the ropes."


@pytest.mark.parametrize(
    "before",
    [
        "Here is the edited text:",
        "Here's an expanded version of your story:",
        "**Revised Version:**",
        "Sure! Here is a longer version of the text.\n\n---",
        "I have rewritten the text to make it longer.",
        "The text has been revised as follows:",
        "Below is the enriched text.",
        "好的，以下是扩写后的文章：",
    ],
)
def test_what_hands_a_text_over(before: str) -> None:
    assert without_commentary(f"{before}\n\n{STORY}") == (STORY, Cut(before=before))


@pytest.mark.parametrize(
    "after",
    [
        "I removed repetitive words and corrected the grammar.",
        "The revised version includes more details.",
        "Note: I have kept the original tone of the text.",
        "---\n\nIn this version, I've expanded each paragraph with sensory details.",
        "Changes made:\n- Added scenes\n- Removed a sentence\n\nLet me know if you need more.",
        "I hope this revised version meets your expectations!",
        "(Word count: 1,234)",
        "注：我删去了重复的句子，补充了细节。",
        "以上是扩写后的版本，希望对您有帮助。",
    ],
)
def test_what_explains_it_afterwards(after: str) -> None:
    assert without_commentary(f"{STORY}\n\n{after}") == (STORY, Cut(after=after))


def test_a_remark_behind_the_last_sentence() -> None:
    remark = "I removed repetitive words from the text."
    assert without_commentary(f"{STORY} {remark}") == (STORY, Cut(after=remark))


def test_remarks_on_both_sides_and_nothing_else() -> None:
    text = f"Here is the revised text:\n\n{STORY}\n\nI removed repetitive words."
    assert without_commentary(text)[0] == STORY
    assert without_commentary("Here is the revised text:") == ("", Cut("Here is the revised text:"))


@pytest.mark.parametrize(
    "text",
    [
        "His response was short.\n\nHe read the paragraph aloud.",
        "Dear Anna,\n\nI have made a new dress and kept the old one.\n\nYour version is better.",
        "This is the house where the poet lived.\n\nThe first edition was revised by her daughter.",
        "# Project\n\nThis paragraph describes the interface.\n\nThe next version will be faster.",
        "She asked for the revised plans of the harbour.\n\nNobody had them.",
        "以下是几点建议：\n\n- 早起\n- 读书",
    ],
)
def test_good_texts_stay_as_they_are(text: str) -> None:
    assert without_commentary(text) == (text, Cut())
    assert not has_commentary(text)


def test_the_middle_of_a_text_is_never_cut() -> None:
    text = f"{STORY}\n\nI removed repetitive words from the text.\n\n{STORY}"
    assert without_commentary(text) == (text, Cut())


def test_what_was_taken_off_two_parts() -> None:
    both = Cut(before="Here it is:") + Cut(before="Here is more:", after="Note: edited.")
    assert both == Cut("Here it is:\n\nHere is more:", "Note: edited.")


@pytest.mark.parametrize("line", HANDED_OVER)
def test_wordings_that_hand_a_text_over(line: str) -> None:
    assert without_commentary(f"{line}\n\n{STORY}")[0] == STORY


@pytest.mark.parametrize("line", EXPLAINED)
def test_wordings_that_explain_it(line: str) -> None:
    assert without_commentary(f"{STORY}\n\n{line}")[0] == STORY


@pytest.mark.parametrize("line", GOOD_BEGINNINGS)
def test_what_good_texts_begin_with(line: str) -> None:
    assert not has_commentary(f"{line}\n\n{STORY}")


@pytest.mark.parametrize("line", GOOD_ENDS)
def test_what_good_texts_end_with(line: str) -> None:
    assert not has_commentary(f"{STORY}\n\n{line}")
    assert not has_commentary(f"{STORY} {line}")


def test_courtesies_go_with_the_remarks_beside_them_only() -> None:
    polite, remark = "I hope this helps. Let me know!", "I removed repetitive words."
    assert not has_commentary(f"{STORY}\n\n{polite}")
    assert without_commentary(f"{STORY}\n\n{remark}\n\n{polite}")[0] == STORY
    assert without_commentary(f"{STORY} {remark} {polite}")[0] == STORY


def test_a_paragraph_hands_nothing_over() -> None:
    told = "This is the longer version of the story that my uncle told. "
    assert not has_commentary(f"{told}{told}{told}\n\n{STORY}")
