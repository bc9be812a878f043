"""Prompts as files."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from sl_dagster.method.language import BUILT_IN_LANGUAGES
from sl_dagster.method.prompts import read_prompts

LANGUAGES = BUILT_IN_LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_builtin_prompts_have_their_placeholders_filled(language: str) -> None:
    prompts = read_prompts(language).calling_long(2000)
    message, turn = prompts.self_instruction("first {x}", "second")
    assert message["role"] == "user"
    assert turn.index("first {x}") < turn.index("second")
    assert "{x}" in prompts.planning("{x}")["content"]
    assert "{x}" in prompts.back_translation("{x}")["content"]
    section = prompts.writing("{i}", "{p}", "{t}", "{s}")["content"]
    assert all(given in section for given in ("{i}", "{p}", "{t}", "{s}"))
    assert "the task" in prompts.judgement("the task")["content"]
    extension = prompts.extension("the task", "the text {y}")["content"]
    assert "the task" in extension
    assert "the text {y}" in extension


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_begun_turn_ends_at_the_third_and_stops_at_the_fourth(language: str) -> None:
    prompts = read_prompts(language)
    _, turn = prompts.self_instruction("first", "second")
    third = turn.splitlines()[-1]
    assert third.rstrip(":：") == prompts.self_instruct_stop.replace("4", "3")
    assert all(f"{third[:-2]}{n}" in prompts.self_instruct for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("language", "answer", "approves"),
    [
        ("en", "yes", True),
        ("en", " Yes.", True),
        ("en", "YES, because", True),
        ("en", "no", False),
        ("en", "", False),
        ("en", "Not yes", False),
        ("zh", "是", True),
        ("zh", "是的。", True),
        ("zh", "否", False),
        ("zh", "不是", False),
    ],
)
def test_the_judges_answer(language: str, answer: str, approves: bool) -> None:
    prompts = read_prompts(language)
    assert prompts.approves(answer) is approves
    assert all(word in prompts.judge for word in prompts.judge_answers)


@pytest.mark.parametrize(
    ("answer", "probability", "threshold", "approves"),
    [
        ("yes", 0.6, None, True),
        ("yes", None, 0.9, True),
        ("yes", 0.6, 0.6, True),
        ("yes", 0.6, 0.7, False),
        ("no", 0.6, None, False),
        ("no", None, 0.1, False),
        ("no", 0.6, 0.4, True),
        ("no", 0.6, 0.41, False),
    ],
)
def test_a_graded_judge(
    answer: str, probability: float | None, threshold: float | None, approves: bool
) -> None:
    assert read_prompts("en").approves(answer, probability, threshold) is approves


def test_the_judge_is_asked_about_the_experiments_idea_of_long(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump({"judge": "Are {words} words too few for {instruction}?"}))
    prompts = read_prompts("en", file).calling_long(1200)
    assert prompts.judgement("{x}")["content"] == "Are 1,200 words too few for {x}?"
    file.write_text(yaml.safe_dump({"judge": "{instruction}超过{words}字？"}))
    prompts = read_prompts("zh", file).calling_long(1200)
    assert prompts.judgement("写诗")["content"] == "写诗超过1200字？"
    file.write_text(yaml.safe_dump({"judge": "Long? {instruction}"}))
    prompts = read_prompts("en", file)
    assert prompts.calling_long(1200) == prompts, "an own prompt need not say it"


def test_a_doubled_brace_is_a_brace_in_every_prompt(tmp_path: Path) -> None:
    file = tmp_path / "en.yaml"
    templates = ("self_instruct", "self_instruct_turn", "judge", "weave", "extend", "plan",
                 "section", "back_translate")  # fmt: skip
    builtin = read_prompts("en")
    braced = {name: getattr(builtin, name) + " {{words}} {{x}}" for name in templates}
    file.write_text(yaml.safe_dump(braced))
    prompts = read_prompts("en", file).calling_long(1200)
    message, turn = prompts.self_instruction("a", "b")
    asked = [
        message, prompts.judgement("i"), prompts.weaving("i", "c"), prompts.extension("i", "r"),
        prompts.planning("i"), prompts.writing("i", "p", "t", "s"), prompts.back_translation("t"),
    ]  # fmt: skip
    for text in [turn, *(one["content"] for one in asked)]:
        assert text.endswith(" {words} {x}")
    assert "1,200 words" in prompts.judgement("i")["content"]


@pytest.mark.parametrize(
    ("extend", "problem"),
    [
        ("no placeholder at all", "placeholders must be: {instruction}, {response}; found: none"),
        ("{instruction} {response} {more}", "found: {instruction}, {more}, {response}"),
        ("{instruction} {response} {}", "found: {}, {instruction}, {response}"),
        ("{instruction} {response[0]}", "found: {instruction}, {response[0]}"),
        ("{instruction} {response", "is not a template"),
        ("{instruction} {response:,}", "write {response} alone"),
        ("{instruction} {response!r}", "write {response} alone"),
        ("{instruction:{width}} {response}", "write {instruction} alone"),
    ],
)
def test_wrong_placeholders_are_named(tmp_path: Path, extend: str, problem: str) -> None:
    file = tmp_path / "en.yaml"
    file.write_text(yaml.safe_dump({"extend": extend}))
    with pytest.raises(ValidationError) as caught:
        read_prompts("en", file)
    assert problem in str(caught.value)


def test_a_file_replaces_the_prompts_that_it_names(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("plan: 'Outline: {instruction}'\n")
    own, builtin = read_prompts("en", file), read_prompts("en")
    assert own.plan == "Outline: {instruction}"
    assert own == builtin.model_copy(update={"plan": own.plan})
