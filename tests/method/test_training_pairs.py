"""Prompt/completion pairs of both roles."""

from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.method.prompts import Prompts, read_prompts
from sl_dagster.method.training_pairs import drop_lines, extender_pair, generator_pair
from tests.method.texts import texts

PROMPTS: Prompts = read_prompts("en")


def test_the_generator_learns_the_extended_response() -> None:
    prompt, completion = generator_pair("Write.", "A long text.")
    assert prompt == [{"role": "user", "content": "Write."}]
    assert completion == [{"role": "assistant", "content": "A long text."}]


def test_the_extender_learns_from_the_extension_prompt() -> None:
    prompt, completion = extender_pair("Write.", "Short.", "Long.", PROMPTS, dropout=0, seed=1)
    assert prompt == [PROMPTS.extension("Write.", "Short.")]
    assert completion == [{"role": "assistant", "content": "Long."}]


def test_lines_are_dropped_at_the_given_rate_and_repeatably() -> None:
    text = "\n".join(str(number) for number in range(10_000))
    kept = drop_lines(text, 0.2, seed=4)
    assert kept == drop_lines(text, 0.2, seed=4)
    assert kept != drop_lines(text, 0.2, seed=5)
    assert abs(len(kept.split("\n")) / 10_000 - 0.8) < 0.02
    order = [int(line) for line in kept.split("\n")]
    assert order == sorted(order)


def test_nothing_and_everything() -> None:
    assert drop_lines("a\n\nb", 0, seed=1) == "a\n\nb"
    assert drop_lines("a\n\nb", 1, seed=1) == ""


@given(texts, texts, texts, st.floats(0, 1), st.integers())
def test_any_texts_make_pairs_that_hold_them(
    instruction: str, initial: str, extended: str, dropout: float, seed: int
) -> None:
    for prompt, completion in (
        generator_pair(instruction, extended),
        extender_pair(instruction, initial, extended, PROMPTS, dropout=dropout, seed=seed),
    ):
        assert [message["role"] for message in prompt + completion] == ["user", "assistant"]
        assert instruction in prompt[0]["content"]
        assert completion[0]["content"] == extended
    outline = drop_lines(initial, dropout, seed)
    assert prompt[0]["content"] == PROMPTS.extension(instruction, outline)["content"]


@given(texts, st.floats(0, 1), st.integers())
def test_whole_lines_are_dropped_and_the_others_are_as_they_were(
    text: str, dropout: float, seed: int
) -> None:
    remaining = iter(text.split("\n"))
    kept = drop_lines(text, dropout, seed)
    assert all(line in remaining for line in kept.split("\n")) or kept == ""
