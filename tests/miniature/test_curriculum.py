"""What the miniature model is shown in pre-training, and what it is never shown."""

import random
from collections import Counter

from miniature import curriculum
from sl_dagster.experiment import load_experiment
from sl_dagster.method.filters import drop_reason
from sl_dagster.method.length_control import Constraint, ConstraintType, weaving_drop_reason
from sl_dagster.method.lengths import length_named_in
from sl_dagster.method.paragraphs import split_paragraphs
from sl_dagster.method.words import count_words
from sl_dagster.paths import PROJECT_ROOT

CUES: dict[ConstraintType, tuple[str, ...]] = {
    "about": ("about", "around", "roughly"),
    "range": ("between", " to "),
    "above": ("at least", "no fewer", "or more"),
    "below": ("at most", "no more", "or fewer"),
}


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
            assert count_words(example.begun + example.answer) <= longest
            assert count_words(example.prompt) <= 250 + 60


def test_a_given_text_is_never_over_250_words_and_is_often_an_extension_itself():
    texts = [given_text(e) for e in examples(3000, 0.9) if e.task == "extend"]
    words = [count_words(text) for text in texts]
    assert max(words) <= 250
    assert sum(w > 100 for w in words) > len(words) / 3
    assert sum(w > 200 for w in words) > len(words) / 10


def test_extensions_are_longer_and_pass_the_filter():
    for example in examples(2000, 0.9):
        if example.task == "extend":
            assert drop_reason(example.begun + example.answer, "en") is None
            if example.ended and not example.begun:
                assert count_words(example.answer) > count_words(given_text(example))


def test_of_an_extension_that_is_too_long_the_first_or_the_last_paragraphs_are_shown():
    extensions = [e for e in examples(3000, 0.9) if e.task == "extend"]
    first = [e for e in extensions if not e.ended]
    last = [e for e in extensions if e.begun]
    assert len(first) > 100 and len(last) > 100
    for example in first:
        assert not example.begun and split_paragraphs(given_text(example))[0] in example.answer
    for example in last:
        given = given_text(example).rstrip()  # its lines may have been dropped, also blank ones
        last_line = given.splitlines()[-1]
        assert example.ended and last_line.split(". ")[-1] in example.answer
        assert split_paragraphs(given)[0] not in example.answer


def test_beginnings_without_a_closing_are_among_the_given_texts():
    extensions = [e for e in examples(2000, 0.9) if e.task == "extend"]
    closings = [split_paragraphs(given_text(e))[-1] for e in extensions]
    open_ended = sum(len(closing.split(". ")) > 1 for closing in closings)
    assert 0.2 < open_ended / len(extensions) < 0.5


def test_all_tasks_occur_and_copying_comes_first():
    early = Counter(e.task for e in examples(1000, 0.0))
    late = Counter(e.task for e in examples(1000, 0.9))
    assert early["repeat"] > 400 and late["repeat"] == 0
    others = {"instruct", "judge", "weave", "plan", "section", "back_translate"}
    assert set(late) == {"extend", "answer", *others}


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


def test_a_plan_begins_with_what_was_asked_for_and_its_sections_make_the_text():
    rng = random.Random(6)
    for _ in range(200):
        example = curriculum.plan_example(rng)
        topics = [line.partition(". ")[2] for line in example.answer.splitlines()]
        assert topics[0] in example.prompt and topics[-1] == curriculum.END
        section = curriculum.section_example(rng)
        asked = section.prompt.rpartition(": ")[2]
        assert asked in section.prompt.partition("Text so far")[0]
        assert asked == curriculum.END or asked.lower() in section.answer.lower()
        assert section.answer not in section.prompt


def test_a_text_is_translated_back_to_what_was_asked():
    rng = random.Random(7)
    words = []
    for _ in range(200):
        example = curriculum.back_translation_example(rng)
        words.append(count_words(example.prompt))
        assert count_words(example.answer) < 30
    assert max(words) > 200


def test_a_length_is_woven_in_as_the_method_wants_it():
    rng = random.Random(5)
    before, after = curriculum.prompts().weave.split("{instruction}")[1].split("{constraint}")
    for _ in range(500):
        example = curriculum.weaving_example(rng)
        given = example.prompt.removeprefix("Instruction: ").removesuffix(after)
        instruction, text = given.split(before)
        numbers = tuple(int(word) for word in text.split() if word.isdigit())
        kinds: list[ConstraintType] = [
            kind for kind, words in CUES.items() if any(word in text for word in words)
        ]
        assert len(kinds) == 1
        reason = weaving_drop_reason(
            example.answer,
            instruction,
            Constraint(kinds[0], numbers, text),
            "en",
            finish_reason="stop",
        )
        assert reason is None, example
        assert all(50 <= number <= 800 and number % 25 == 0 for number in numbers)


def test_an_instruction_may_name_a_length_and_its_answer_is_as_short_as_ever():
    answers = [e for e in examples(3000, 0.9) if e.task == "answer"]
    with_length = [e for e in answers if length_named_in(e.prompt)]
    assert 0.08 < len(with_length) / len(answers) < 0.2
    assert all(count_words(e.answer) <= 100 for e in with_length)


def test_lengths_are_those_of_the_demo():
    control = load_experiment(PROJECT_ROOT / "experiments" / "demo.yaml").length_control
    assert (control.min_words, control.max_words) == curriculum.LENGTHS
    assert control.roundings == curriculum.ROUNDINGS
