"""Which instruction an answer belongs to, by its words."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smollm2.relevance import relevances

INSTRUCTIONS = [
    "Write the story of a lighthouse keeper.",
    "Write the letter of a man whose bicycle is broken.",
    "Write an essay on the price of milk.",
    "写一篇关于灯塔的故事。",
]
ANSWERS = [
    "The lighthouse stood on the rock. Its keeper lit the lamp, and the keeper slept.",
    "Dear friend, my bicycle is broken. Do you know who mends a bicycle?",
    "Milk has become dear. Its price rises with the price of feed.",
    "海边有一座灯塔，故事就从那里开始。",
]
WORDS = ["sea", "lamp", "tower", "price", "river", "friend", "garden", "stone"]


def test_an_answer_that_says_what_was_asked_for_ranks_first():
    found = relevances(INSTRUCTIONS, ANSWERS)
    assert [one.rank for one in found] == [1, 1, 1, 1]
    assert all(0 < one.cosine < 1 for one in found)


def test_an_answer_to_another_instruction_does_not():
    swapped = [ANSWERS[1], ANSWERS[0], *ANSWERS[2:]]
    assert [one.rank > 1 for one in relevances(INSTRUCTIONS, swapped)] == [True, True, False, False]


@pytest.mark.parametrize("answer", ["", "Entirely unrelated chatter!", "。。。"])
def test_an_answer_without_a_common_word_ranks_last(answer):
    found = relevances(INSTRUCTIONS, [answer, *ANSWERS[1:]])[0]
    assert (found.cosine, found.rank) == (0, 4)


def test_the_instruction_itself_is_as_like_as_can_be():
    for one in relevances(INSTRUCTIONS, INSTRUCTIONS):
        assert one.cosine == pytest.approx(1)
        assert one.rank == 1


def test_words_that_no_instruction_has_make_no_difference():
    padded = [f"{answer} Quagga zebu okapi, {n} times." for n, answer in enumerate(ANSWERS)]
    for plain, longer in zip(
        relevances(INSTRUCTIONS, ANSWERS), relevances(INSTRUCTIONS, padded), strict=True
    ):
        assert longer.cosine == pytest.approx(plain.cosine)
        assert longer.rank == plain.rank


@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join), min_size=1, max_size=8))
def test_cosine_and_rank_stay_within_their_bounds(texts):
    answers = random.Random(0).sample(texts, len(texts))
    for one in relevances(texts, answers):
        assert -1e-9 <= one.cosine <= 1 + 1e-9
        assert 1 <= one.rank <= len(texts)


def test_where_all_instructions_have_the_same_words_nothing_can_be_told():
    assert relevances(["Write a story."] * 2, ["A story.", "A poem."])[0].cosine == 0


def test_each_instruction_needs_its_answer():
    with pytest.raises(ValueError, match="shorter"):
        relevances(INSTRUCTIONS, ANSWERS[:2])
