"""Prompts as files."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from sl_dagster.method.prompts import builtin_prompts_file, read_prompts


def test_the_builtin_prompts_have_their_placeholders_filled() -> None:
    prompts = read_prompts(builtin_prompts_file("en"))
    message, turn = prompts.self_instruction("first {x}", "second")
    assert message["role"] == "user"
    assert "first {x}" in turn
    assert turn.endswith("Instruction 3:")
    assert "the task" in prompts.judgement("the task")["content"]
    extension = prompts.extension("the task", "the text {y}")["content"]
    assert "the task" in extension
    assert "the text {y}" in extension


@pytest.mark.parametrize(
    ("extend", "problem"),
    [
        ("no placeholder at all", "placeholders must be: {instruction}, {response}; found: none"),
        ("{instruction} {response} {more}", "found: {instruction}, {more}, {response}"),
        ("{instruction} {response", "is not a template"),
    ],
)
def test_wrong_placeholders_are_named(tmp_path: Path, extend: str, problem: str) -> None:
    file = tmp_path / "en.yaml"
    lines = builtin_prompts_file("en").read_text().split("\nextend:")[0]
    file.write_text(f"{lines}\nextend: '{extend}'\n")
    with pytest.raises(ValidationError) as caught:
        read_prompts(file)
    assert problem in str(caught.value)
