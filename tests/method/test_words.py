"""Counting words in mixed scripts."""

import pytest
from hypothesis import given

from sl_dagster.method.words import count_words
from tests.method.texts import texts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("one two\nthree\t four ", 4),
        ("你好", 2),
        ("你好，world。", 5),  # two ideographs, two wide punctuation marks, one English word
        ("ＡＢＣ", 3),  # full-width letters count one by one
        ("a你b", 3),
        ("well-known 😀", 2),
    ],
)
def test_examples(text: str, words: int) -> None:
    assert count_words(text) == words


@given(texts, texts)
def test_texts_apart_count_like_each_alone(first: str, second: str) -> None:
    assert count_words(f"{first} {second}") == count_words(first) + count_words(second)


@given(texts)
def test_counts_agree_with_the_definition(text: str) -> None:
    def wide(char: str) -> bool:
        return any(a <= char <= b for a, b in (("一", "鿿"), ("　", "〿"), ("＀", "￯")))

    rest = "".join(" " if wide(char) else char for char in text)
    assert count_words(text) == sum(map(wide, text)) + len(rest.split())


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("港はゆっくりと目を覚ました。", "ja", 14),
        ("항구는 천천히 깨어났다.", "ko", 3),
        ("Der Hafen erwachte.", "de", 3),
        ("ท่าเรือ", "th", 5),  # marks above and below a letter belong to it
        ("か\u3099き\u3099", "ja", 2),  # and so do the marks of a kana
        ("ﾃﾞｰﾀ", "ja", 3),
        ("か\u3099", "zh", 1),
        ("ひらがな ok", "zh", 2),  # to the letter: what is none of the paper's ranges is a token
    ],
)
def test_other_languages(text: str, language: str, words: int) -> None:
    assert count_words(text, language) == words
