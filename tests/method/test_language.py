"""Telling Chinese and English apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sl_dagster.method.language import detect_language, is_written_in

CODE = "```python\nfor number in range(10):\n    print(number)  # one by one\n```"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Write a story about an old bridge.", "en"),
        ("Hi", "en"),
        ("写一个关于老桥的故事。", "zh"),
        ("好", "zh"),
        ("請寫一個關於橋樑的故事。", "zh"),
        ("请写一篇介绍Transformer模型的文章，并比较GPT与BERT。", "zh"),
        ("The word 道 and the saying 道可道非常道 are hard to translate into English.", "en"),
        (f"写一个函数：\n{CODE}\n{CODE}\n{CODE}\n解释每一行。", "zh"),
        (f"{CODE}\n", "en"),
        ("```\n打印\n", "zh"),
        ("😀 😀", "en"),
        ("", "en"),
        ("1, 2, 3.", "en"),
    ],
)
def test_detection(text: str, language: str) -> None:
    assert detect_language(text) == language
    assert detect_language(text.replace("\n", "\r\n")) == language


def test_code_alone_is_written_in_any_language() -> None:
    for language in ("en", "zh"):
        assert is_written_in(CODE, language)
        assert is_written_in("", language)
    assert not is_written_in(f"打印十个数字：\n{CODE}", "en")
    assert not is_written_in(f"Ten numbers are printed:\n{CODE}", "zh")


@given(st.text())
def test_any_text_has_one_language(text: str) -> None:
    assert is_written_in(text, detect_language(text))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (
            "港はゆっくりと目を覚ました。カモメが空っぽの埠頭を回り、マラはロープを数えていた。",
            "ja",
        ),
        ("항구는 천천히 깨어났다. (아무도 말하지 않았다)", "ko"),
        ("Le port s'éveilla lentement. Les mouettes tournaient au-dessus du quai vide.", "fr"),
        ("Der Hafen erwachte langsam, und Möwen kreisten über dem leeren Kai.", "de"),
        ("Гавань медленно просыпалась, и чайки кружили над пустым причалом.", "ru"),
    ],
)
def test_other_languages_are_neither_english_nor_chinese(text: str, language: str) -> None:
    assert detect_language(text) == language
    assert is_written_in(text, language)
    assert not is_written_in(text, "en")
    assert not is_written_in(text, "zh")


@pytest.mark.parametrize(
    "text", ["Dear Anna,", "Ludwig van Beethoven", "Hi", "TODO: fix", "Chapter One", "Der Hafen"]
)
def test_a_short_text_is_in_no_other_language(text: str) -> None:
    assert is_written_in(text, "en")
    assert is_written_in(text, "de")


def test_short_chinese_and_japanese() -> None:
    assert is_written_in("東京大学", "ja")
    assert is_written_in("東京大学", "zh")
    assert not is_written_in("ありがとう", "zh")


@pytest.mark.parametrize("fence", ["```", "~~~"])
@pytest.mark.parametrize("indent", ["", "   ", "\t", "      "])
def test_code_under_a_step_is_no_prose(fence: str, indent: str) -> None:
    commands = [f"python -m pip install package-{number} --upgrade --quiet" for number in range(20)]
    code = "\n".join(f"{indent}{line}" for line in [f"{fence}bash", *commands, fence])
    text = f"本文介绍如何部署程序。\n\n1. 首先安装依赖：\n\n{code}\n\n2. 完成以后就可以看到首页了。"
    assert is_written_in(text, "zh")
    assert detect_language(text) == "zh"
    assert not is_written_in(text.replace(fence, "\n"), "zh"), "unfenced, it is what most of it is"
