"""Which lengths texts name, and which numbers are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.method.lengths import length_named_in, lengths_in, scaled_words
from sl_dagster.method.numerals import chinese_numeral


@pytest.mark.parametrize(
    ("text", "named", "unit", "numbers"),
    [
        ("Write a 500-word story.", "500-word", "words", (500,)),
        ("Explain it in about 1,000 words.", "1,000 words", "words", (1000,)),
        ("A 2,000-word essay.", "2,000-word", "words", (2000,)),
        ("Answer in 3k words or so.", "3k words", "words", (3000,)),
        ("No more than 1.5k words.", "1.5k words", "words", (1500,)),
        ("Use 3000+ words.", "3000+ words", "words", (3000,)),
        ("Give me 1500words.", "1500words", "words", (1500,)),
        ("写一篇500words的英文作文。", "500words", "words", (500,)),
        ("It takes hundreds of words.", "hundreds of words", "words", ()),
        ("In a few words, please.", "a few words", "words", ()),
        ("Write two thousand words.", "two thousand words", "words", (2000,)),
        ("At least five thousand words.", "five thousand words", "words", (5000,)),
        ("A two-thousand-word essay.", "two-thousand-word", "words", (2000,)),
        ("About a thousand words.", "a thousand words", "words", (1000,)),
        ("Between 2000 and 3,000 words.", "2000 and 3,000 words", "words", (2000, 3000)),
        ("2,000 words to 3,000 words", "2,000 words to 3,000 words", "words", (2000, 3000)),
        ("Between two and three thousand words", "two and three thousand words", "words",
         (2000, 3000)),
        ("Word count: 3000", "Word count: 3000", "words", (3000,)),
        ("**Word Count:** 2,000", "Word Count:** 2,000", "words", (2000,)),
        ("with a word limit of approximately 3000.", "word limit of approximately 3000", "words",
         (3000,)),
        ("Words: 1500-2000", "Words: 1500-2000", "words", (1500, 2000)),
        ("1,500 Chinese characters", "1,500 Chinese characters", "words", (1500,)),
        ("Use at most 280 characters.", "280 characters", "characters", (280,)),
        ("Fill two pages.", "two pages", "pages", (2,)),
        ("3–4 pages", "3–4 pages", "pages", (3, 4)),
        ("Prepare a one-page memo.", "one-page", "pages", (1,)),
        ("several pages of it", "several pages", "pages", ()),
        ("In ten sentences, please.", "ten sentences", "sentences", (10,)),
        ("A one-sentence summary.", "one-sentence", "sentences", (1,)),
        ("A five-paragraph essay.", "five-paragraph", "paragraphs", (5,)),
        ("Each chapter 2,000 words", "2,000 words", "words", (2000,)),
        ("Chapter 2 - 500 words", "500 words", "words", (500,)),
        ("写一篇800字的作文。", "800字", "words", (800,)),
        ("不少于三千字。", "三千字", "words", (3000,)),
        ("一万五千字左右。", "一万五千字", "words", (15000,)),
        ("要２０００多字。", "２０００多字", "words", (2000,)),
        ("2k字", "2k字", "words", (2000,)),
        ("用几百个字说明。", "几百个字", "words", ()),
        ("约5,000个汉字。", "5,000个汉字", "words", (5000,)),
        ("2000字至3000字", "2000字至3000字", "words", (2000, 3000)),
        ("三到四千字", "三到四千字", "words", (3000, 4000)),
        ("五十字以内", "五十字", "words", (50,)),
        ("2000個字", "2000個字", "words", (2000,)),
        ("写一篇万字长文", "万字", "words", (10000,)),
        ("写1000字体会", "1000字", "words", (1000,)),
        ("字数请控制在5000以内。", "字数请控制在5000", "words", (5000,)),
        ("（字数在4000至5000之间）", "字数在4000至5000", "words", (4000, 5000)),
        ("写一篇讲稿，字数1400左右。", "字数1400", "words", (1400,)),
        ("字数要求：2000左右", "字数要求：2000", "words", (2000,)),
        ("字数五千以上。", "字数五千", "words", (5000,)),
        ("篇幅不超过三千", "篇幅不超过三千", "words", (3000,)),
        ("两页的报告。", "两页", "pages", (2,)),
        ("写三个自然段。", "三个自然段", "paragraphs", (3,)),
    ],
)  # fmt: skip
def test_named_lengths(text: str, named: str, unit: str, numbers: tuple[int, ...]) -> None:
    [found] = lengths_in(text)
    assert (found.text, found.unit, found.numbers) == (named, unit, numbers)
    assert found.text == text[found.start : found.end] == length_named_in(text)


NO_LENGTHS = [
    "A play with {small} characters.",
    "It was the year {year}. Words fail me.",
    "In {year} the words of a king were law.",
    "On page {small}, and on pages {small} to {year}, she found the map.",
    "As chapter {small} says: words are cheap.",
    "Tell what the first {year} words of the book reveal.",
    "She can type {year} words per minute.",
    "In other words: {small} things to do.",
    "Length: {small} km.",
    "A novel about {year} people and the word of one of them.",
    "从第{small}页讲到最后一页。",
    "讲第{small}至{year}页的内容。",
    "{year}年的故事，字数不限。",
    "{year}字节的文件。",
    "他每天写{year}字，请写他的故事。",
    "用字数统计软件{year}版写一份说明。",
    "{year}米的长度怎么测量？",
]


@pytest.mark.parametrize(
    "text",
    [
        "In one word, describe it.",
        "A word of advice, one word of advice.",
        "Words of wisdom from page to stage.",
        "Why is a picture worth a thousand words?",
        "Portray a man of few words.",
        "Describe chapter two, and page 3.",
        "一个发生在十字路口的故事，一字一句都要推敲。",
        "谈谈数字人民币，从第三页讲到最后一页。",
        "写一写汉字的千年演变。",
        "介绍千字文和十六字令。",
        "万一字写错了怎么办？",
        "分析她说的三个字。",
        "26个字母的来历，四字成语的来历。",
    ],
)
def test_ways_of_speaking_are_no_lengths(text: str) -> None:
    assert lengths_in(text) == []


@given(st.sampled_from(NO_LENGTHS), st.integers(1, 30), st.integers(100, 2100))
def test_other_numbers_are_no_lengths(text: str, small: int, year: int) -> None:
    assert lengths_in(text.format(small=small, year=year)) == []


NUMBERS = st.integers(3, 300).map(lambda number: 100 * number)
# How a number may be written, each in a language or in both.
FULL_WIDTH = str.maketrans("0123456789,", "０１２３４５６７８９，")
SHAPES = {
    "en": [str, "{:,}".format, lambda number: f"{number / 1000:g}k"],
    "zh": [str, "{:,}".format, chinese_numeral, lambda number: f"{number / 10_000:g}万",
           lambda number: f"{number:,}".translate(FULL_WIDTH)],
}  # fmt: skip
PLACES = {
    "en": ["Write {} words about it.", "a {}-word essay", "a story of at least {}words",
           "Word count: {}.", "Tell it ({}+ words).", "the word limit is {}",
           "in about {} words or fewer, please"],
    "zh": ["写一篇{}字的文章。", "字数{}左右。", "字数要求：不少于{}", "（{}字以内）", "约{}个字",
           "字数控制在{}以内", "请写{}字以上", "全文不超过{}汉字。"],
}  # fmt: skip
TO = {"en": ["-", " to ", " – "], "zh": ["到", "至", "-", "～"]}
WRITTEN = st.sampled_from(["en", "zh"]).flatmap(
    lambda name: st.tuples(
        st.sampled_from(SHAPES[name]), st.sampled_from(PLACES[name]), st.sampled_from(TO[name])
    )
)


@given(NUMBERS, WRITTEN)
def test_lengths_in_every_shape_are_found_and_scaled(number: int, written: tuple) -> None:
    shape, place, _ = written
    text = place.format(shape(number))
    [found] = lengths_in(text)
    assert (found.unit, found.numbers) == ("words", (number,))
    [scaled] = lengths_in(scaled_words(text, [number], 0.1))
    assert scaled.numbers == (number // 10,)


@given(NUMBERS, st.integers(1, 9), WRITTEN)
def test_ranges_in_every_shape_are_found_and_scaled(low: int, more: int, written: tuple) -> None:
    shape, place, to = written
    high = low + 1000 * more
    text = place.format(shape(low) + to + shape(high))
    [found] = lengths_in(text)
    assert found.numbers == (low, high), text
    [scaled] = lengths_in(scaled_words(text, [low, high], 0.1))
    assert scaled.numbers == (low // 10, high // 10)


@given(st.text(max_size=60))
def test_any_text_can_be_searched(text: str) -> None:
    for length in lengths_in(text):
        assert text[length.start : length.end] == length.text


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("Write over 7,000 words.", [7000], "Write over 350 words."),
        ("Write 30,000 words.", [30000], "Write 1,500 words."),
        ("扩写成两千字：清晨", [2000], "扩写成一百字：清晨"),
        ("写2000至3000字。", [2000, 3000], "写100至150字。"),
        ("5000 words, the abstract 500 words", [5000], "250 words, the abstract 25 words"),
        ("2000 words on the year 2000", [2000], "100 words on the year 2000"),
        ("字数4000到5000字，分20次课。", [5000], "字数200到250字，分20次课。"),
    ],
)  # fmt: skip
def test_lengths_are_scaled_in_place(text: str, words: list[int], expected: str) -> None:
    assert scaled_words(text, words, 0.05) == expected


@pytest.mark.parametrize(
    ("text", "words", "problem"),
    [
        ("Write a guide.", [1000], "does not name the length 1000; found: none"),
        ("150 words", [4000], "does not name the length 4000; found: '150 words'"),
        ("2000字", [2000, 3000], "does not name the length 2000 and 3000; found: '2000字'"),
        ("5 pages, 4000 words", [4000], "also counts pages: '5 pages'"),
    ],
)
def test_what_cannot_be_scaled(text: str, words: list[int], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        scaled_words(text, words, 0.05)
