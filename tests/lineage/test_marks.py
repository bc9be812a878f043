"""What is marked as new."""

import time

from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.lineage.marks import marked

TEXTS = st.text(st.sampled_from("ab 桥。\n<"), max_size=60)


def new(text: str, before: str) -> list[str]:
    return [piece.text.strip() for piece in marked(text, before) if piece.new]


@given(TEXTS, TEXTS)
def test_the_pieces_are_the_whole_text(text: str, before: str) -> None:
    assert "".join(piece.text for piece in marked(text, before)) == text


def test_new_sentences_are_marked() -> None:
    before = "The bridge is old. It ends here."
    text = "The bridge is old. Nobody knows who built it. It ends here."
    assert new(text, before) == ["Nobody knows who built it."]
    assert new(before, before) == []
    assert new("Something else.", "") == ["Something else."]


def test_chinese_is_compared_by_character() -> None:
    assert new("这座桥很老。没人知道谁建的。它还在那里。", "这座桥很老。它还在那里。") == [
        "没人知道谁建的。"
    ]


def test_everyday_words_do_not_cut_a_mark() -> None:
    assert new("One two. Far in the north it rained. End of it.", "One two. the End of it.") == [
        "Far in the north it rained."
    ]


def test_long_texts_are_compared_quickly() -> None:
    before = " ".join(f"word{number % 700}" for number in range(8_000))
    text = " ".join(f"word{number % 900}" for number in range(16_000))
    start = time.process_time()
    assert marked(text, before)
    assert time.process_time() - start < 5
