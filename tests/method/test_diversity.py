"""Similarity of instructions, and the variety of a set of them."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.method.diversity import SimilarTexts, distinct_n, most_similar_earlier, tokens

STORY = "Write a story about an old bridge."
TEXTS = st.text(alphabet="ab 写信c,。", min_size=1, max_size=30)


def rouge_l(first: str, second: str) -> float:
    """ROUGE-L as it is defined, by the textbook's table."""
    left, right = tokens(first), tokens(second)
    if not left and not right:
        return 1.0
    longest = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i, one in enumerate(left):
        for j, other in enumerate(right):
            longest[i + 1][j + 1] = (
                longest[i][j] + 1 if one == other else max(longest[i][j + 1], longest[i + 1][j])
            )
    return 2 * longest[-1][-1] / (len(left) + len(right))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write a story, please!", ["write", "a", "story", "please"]),
        ("写一篇Python教程。", ["写", "一", "篇", "python", "教", "程"]),
        ("don't", ["don", "t"]),
        ("！？…", []),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


@pytest.mark.parametrize(
    ("text", "similarity"),
    [
        (STORY, 1.0),
        ("write a STORY about an old bridge", 1.0),
        ("Write a story about an old lighthouse.", 12 / 14),
        ("Write a story about a bridge.", 10 / 13),
        ("Explain how a heat pump works.", None),
        ("写一篇关于老桥的故事。", None),
    ],
)
def test_similarity_to_a_text(text: str, similarity: float | None) -> None:
    found = SimilarTexts(["Some other text altogether", STORY]).most_similar(text, above=0.5)
    assert found == (None if similarity is None else (1, pytest.approx(similarity)))


def test_chinese_is_compared_character_by_character() -> None:
    known = SimilarTexts(["写一篇关于一座老桥的故事，语言朴素。"])
    assert known.most_similar("写一篇关于一座老塔的故事，语言朴素", above=0.7)
    assert known.most_similar("请为一家面包店撰写商业计划书。", above=0.2) is None


@given(st.lists(TEXTS, min_size=1, max_size=6), TEXTS)
def test_it_is_rouge_l(known: list[str], text: str) -> None:
    expected = max(rouge_l(one, text) for one in known)
    place, similarity = SimilarTexts(known).most_similar(text, above=0.0) or (0, 0.0)
    assert similarity == pytest.approx(expected)
    assert rouge_l(known[place], text) == pytest.approx(expected) or not expected


def test_exactly_as_similar_as_allowed_does_not_count() -> None:
    known = SimilarTexts(["a b c d e f g x y z"])
    assert known.most_similar("a b c d e f g u v w", above=0.7) is None
    assert known.most_similar("a b c d e f g u v w", above=0.699)


@given(st.lists(TEXTS, max_size=8))
def test_what_the_index_finds_is_as_similar_as_it_says(texts: list[str]) -> None:
    for text, found in zip(texts, most_similar_earlier(texts, above=0.3), strict=True):
        if found:
            assert rouge_l(texts[found[0]], text) == pytest.approx(found[1])


def test_the_index_finds_equal_tokens_and_nearly_all_that_is_nearly_the_same() -> None:
    random = Random(1)
    words = [f"word{number}" for number in range(2_000)]
    originals = [" ".join(random.choices(words, k=30)) for _ in range(300)]
    changed = [" ".join([*text.split()[:-3], *random.choices(words, k=3)]) for text in originals]
    texts = [*originals, *(text.upper() for text in originals), *changed]
    found = most_similar_earlier(texts, above=0.7)
    assert found[:300] == [None] * 300
    assert found[300:600] == [(place, 1.0) for place in range(300)]
    assert sum(one is not None for one in found[600:]) >= 297


def test_nothing_is_like_no_text() -> None:
    known = SimilarTexts()
    assert known.most_similar(STORY, above=0.0) is None
    assert STORY not in known
    known.add(STORY)
    assert STORY in known
    assert STORY.lower() not in known


@pytest.mark.parametrize(
    ("texts", "n", "expected"),
    [
        (["a b c d"], 1, 1.0),
        (["a b a b"], 1, 0.5),
        (["a b a b"], 2, 2 / 3),
        (["a b", "b a"], 2, 1.0),
        (["写信写信"], 1, 0.5),
        (["a"], 2, 0.0),
        ([], 1, 0.0),
    ],
)
def test_distinct_n(texts: list[str], n: int, expected: float) -> None:
    assert distinct_n(texts, n) == pytest.approx(expected)
