"""Telling thoughts from answers."""

import pytest

from sl_dagster.method.thoughts import MARKS, leaves_thoughts_open, without_thoughts


@pytest.mark.parametrize(("begin", "end"), MARKS)
def test_thoughts_before_an_answer_are_taken_off(begin: str, end: str) -> None:
    assert without_thoughts(f"{begin}\nA lamp?\n{end}\n\nIt shone.") == "It shone."
    assert without_thoughts(f"\n{begin}{end}It shone.") == "It shone."


@pytest.mark.parametrize(("begin", "end"), MARKS)
def test_the_prompt_may_have_begun_the_thoughts(begin: str, end: str) -> None:
    assert without_thoughts(f"A lamp?\n{end}\n\nIt shone.") == "It shone."


@pytest.mark.parametrize(("begin", "end"), MARKS)
def test_thoughts_that_do_not_end_leave_no_answer(begin: str, end: str) -> None:
    assert without_thoughts(f"{begin}\nA lamp? Which lamp?") == ""


def test_one_thought_after_another_is_taken_off() -> None:
    text = "<think>a</think>\n<think>b</think>\nIt shone."
    assert without_thoughts(text) == "It shone."


@pytest.mark.parametrize(
    "text",
    [
        "It shone.",
        " It shone.\n",
        "It shone. <think> is a mark, </think> another.",
        "I think it shone.",
        "",
    ],
)
def test_an_answer_without_thoughts_stays_as_it_is(text: str) -> None:
    assert without_thoughts(text) == text


def test_a_template_may_have_marks_of_its_own() -> None:
    own = (*MARKS, ("<ponder>", "</ponder>"))
    assert without_thoughts("<ponder>A lamp?</ponder> It shone.", own) == "It shone."


def test_thoughts_are_open_until_they_end() -> None:
    assert leaves_thoughts_open("assistant\n<think>\n")
    assert not leaves_thoughts_open("assistant\n<think>\n\n</think>\n\n")
    assert not leaves_thoughts_open("assistant\n")
