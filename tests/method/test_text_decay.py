"""Quality of each fifth of a text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.method.text_decay import decay_of, part_qualities

VARIED = [f"w{number}" for number in range(100)]


def test_a_text_without_repetition() -> None:
    parts = part_qualities(" ".join(VARIED))
    assert len(parts) == 5
    assert {part.repetition for part in parts} == {0}
    assert {part.distinct_2 for part in parts} == {1}
    assert {part.self_similarity for part in parts} == {0}


def test_the_fifth_that_repeats_an_earlier_one_is_found() -> None:
    words = [*VARIED[:80], *VARIED[20:40]]
    parts = part_qualities(" ".join(words))
    # Of its 20 4-grams, 3 reach back into the fifth before.
    assert [part.repetition for part in parts] == pytest.approx([0, 0, 0, 0, 17 / 20])
    assert [part.self_similarity for part in parts] == pytest.approx([0, 0.25, 0, 0, 0.25])
    assert {part.distinct_2 for part in parts} == {1}


def test_a_loop_inside_one_fifth_is_found() -> None:
    words = [*VARIED[:80], *(["round", "and"] * 10)]
    last = part_qualities(" ".join(words))[-1]
    assert last.distinct_2 == pytest.approx(2 / 19)
    assert last.repetition == pytest.approx(15 / 20)
    assert last.self_similarity == 0


def test_case_and_punctuation_do_not_matter() -> None:
    words = " ".join(VARIED)
    assert part_qualities(words.upper().replace(" ", ", ")) == part_qualities(words)


def test_chinese_is_measured_by_characters() -> None:
    characters = [chr(0x4E00 + number) for number in range(80)]
    parts = part_qualities("，".join(characters) + "".join(characters[:20]))
    assert [part.repetition for part in parts] == pytest.approx([0, 0, 0, 0, 17 / 20])


def test_short_texts_are_counted() -> None:
    decay = decay_of([" ".join(VARIED), " ".join(VARIED[:49]), "", " ".join(VARIED[:50])])
    assert (decay.texts, decay.too_short, len(decay.parts)) == (2, 2, 5)
    nothing = decay_of(["Too short."])
    assert (nothing.texts, nothing.too_short, nothing.parts) == (0, 1, ())


def test_means_are_taken_fifth_by_fifth() -> None:
    decay = decay_of([" ".join(VARIED), " ".join([*VARIED[:80], *VARIED[:20]])])
    assert [part.repetition for part in decay.parts] == pytest.approx([0, 0, 0, 0, 17 / 40])


@given(st.lists(st.sampled_from(VARIED[:30]), min_size=50, max_size=300))
def test_measures_are_shares(words: list[str]) -> None:
    for part in part_qualities(" ".join(words)):
        assert 0 <= part.repetition <= 1
        assert 0 < part.distinct_2 <= 1
        assert 0 <= part.self_similarity <= 1


def test_long_texts_take_no_longer_per_word() -> None:
    def seconds(words: int) -> float:
        text = " ".join(VARIED[place * place % 97] for place in range(words))
        start = time.process_time()
        part_qualities(text)
        return time.process_time() - start

    # Were it quadratic, ten times the words would take a hundred times as long.
    assert seconds(100_000) < 40 * max(seconds(10_000), 0.005)
