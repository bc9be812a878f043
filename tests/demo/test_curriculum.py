"""What the miniature model is shown in pre-training, and what it is never shown."""

import random
from collections import Counter

from sl_dagster.demo import curriculum
from sl_dagster.method.filters import drop_reason
from sl_dagster.method.paragraphs import split_paragraphs
from sl_dagster.method.words import count_words


def examples(count: int, progress: float, seed: int = 0) -> list[curriculum.Example]:
    rng = random.Random(seed)
    return [curriculum.example(rng, progress) for _ in range(count)]


def given_text(example: curriculum.Example) -> str:
    """The text inside an extension prompt."""
    before, after = curriculum.prompts().extend.split("{response}")
    return example.prompt[example.prompt.index(before[-8:]) + 8 : -len(after)]


def test_no_answer_over_100_words_and_no_text_over_250():
    assert (curriculum.ANSWER_WORDS, curriculum.TEXT_WORDS) == (100, 250)
    for progress in (0.0, 0.05, 0.3, 0.6, 0.99):
        for example in examples(1500, progress):
            longest = 100 if example.task == "answer" else 250
            assert count_words(example.answer) <= longest
            assert count_words(example.prompt) <= 250 + 60


def test_a_given_text_is_never_over_250_words_and_is_often_an_extension_itself():
    texts = [given_text(e) for e in examples(3000, 0.9) if e.task == "extend"]
    words = [count_words(text) for text in texts]
    assert max(words) <= 250
    assert sum(w > 100 for w in words) > 0.2 * len(words)


def test_extensions_are_longer_and_pass_the_filter():
    for example in examples(2000, 0.9):
        if example.task == "extend":
            assert count_words(example.answer) > count_words(given_text(example))
            assert drop_reason(example.answer, "en") is None


def test_beginnings_without_a_closing_are_among_the_given_texts():
    extensions = [e for e in examples(2000, 0.9) if e.task == "extend"]
    closings = [split_paragraphs(given_text(e))[-1] for e in extensions]
    open_ended = sum(len(closing.split(". ")) > 1 for closing in closings)
    assert 0.2 < open_ended / len(extensions) < 0.5


def test_all_tasks_occur_and_copying_comes_first():
    early = Counter(e.task for e in examples(1000, 0.0))
    late = Counter(e.task for e in examples(1000, 0.9))
    assert early["repeat"] > 400 and late["repeat"] == 0
    assert set(late) == {"extend", "answer", "instruct", "judge"}


def test_the_judge_says_yes_to_long_texts_only():
    answers = {e.prompt: e.answer for e in examples(4000, 0.9) if e.task == "judge"}
    assert set(answers.values()) == {"yes", "no"}
    for prompt, answer in answers.items():
        assert (answer == "no") == any(
            word in prompt
            for word in (
                "only a number",
                "yes or no.\n",
                "one word",
                "nickname",
                "colour",
                "Say hello",
                "three words",
                "which year",
            )
        ), prompt


def test_self_instruct_continues_a_begun_turn():
    rng = random.Random(4)
    for _ in range(100):
        example = curriculum.self_instruct_example(rng)
        assert example.begun.endswith("Instruction 3:")
        assert example.answer.startswith(" ") and "\n" not in example.answer
