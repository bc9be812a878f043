"""How long the response filter takes for long texts, and that its time grows with the text only.

Each text passes its filter, so that all of it is looked at: no n-gram occurs twice. Prints seconds
of processor time per text, the best of five: for the filter alone, and for all that a response goes
through (filter, language, words).

    python bench/filters.py
"""

import json
import random
import time
from collections.abc import Callable

from sl_dagster.method.filters import drop_reason
from sl_dagster.method.language import Language
from sl_dagster.method.responses import response_drop_reason
from sl_dagster.method.words import count_words

SIZES = (25_000, 50_000, 100_000, 200_000)
LETTERS = "etaoinshrdlu"
IDEOGRAPHS = [chr(code) for code in range(0x4E00, 0x4E00 + 3_000)]


def main() -> None:
    """Measure every kind of text at every size."""
    kinds: dict[str, tuple[Language, Callable[[random.Random, int], str]]] = {
        "English in paragraphs": ("en", paragraphs),
        "English, one line": ("en", lambda draw, words: " ".join(english(draw, words)) + "."),
        "English, a line end after each word": ("en", lines),
        "Chinese": ("zh", chinese),
        "Chinese and English by turns": ("zh", by_turns),
    }
    for kind, (language, write) in kinds.items():
        for words in SIZES:
            measure(kind, language, write(random.Random(words), words))


def measure(kind: str, language: Language, text: str) -> None:
    """Measure one text and print the figures."""
    assert drop_reason(text, language) is None, kind
    figures = {
        "text": kind,
        "words": count_words(text),
        "characters": len(text),
        "filter_seconds": best_of_five(lambda: drop_reason(text, language)),
        "all_seconds": best_of_five(lambda: everything(text, language)),
    }
    print(json.dumps(figures), flush=True)


def english(draw: random.Random, words: int) -> list[str]:
    """Words of two to nine letters."""
    return ["".join(draw.choices(LETTERS, k=draw.randint(2, 9))) for _ in range(words)]


def paragraphs(draw: random.Random, words: int) -> str:
    """Paragraphs of about a hundred words."""
    written = english(draw, words)
    parts = [" ".join(written[start : start + 100]) for start in range(0, words, 100)]
    return ".\n\n".join(parts) + "."


def lines(draw: random.Random, words: int) -> str:
    """One word per line, as Windows ends lines."""
    return "\r\n".join(english(draw, words)) + "."


def chinese(draw: random.Random, words: int) -> str:
    """Ideographs with a full-width comma after every twelfth."""
    written = ["，" if place % 13 == 12 else draw.choice(IDEOGRAPHS) for place in range(words - 1)]
    return "".join(written) + "。"


def by_turns(draw: random.Random, words: int) -> str:
    """An ideograph, an English word, an ideograph, ...: every word is a unit of its own."""
    pairs = [draw.choice(IDEOGRAPHS) + word for word in english(draw, words // 2)]
    return "".join(pairs) + "。"


def everything(text: str, language: Language) -> None:
    """What is done with a response."""
    response_drop_reason(text, language, finish_reason="stop", preset="default")
    count_words(text)


def best_of_five(work: Callable[[], object]) -> float:
    """Seconds of processor time, which does not depend on who else uses the machine."""
    seconds = []
    for _ in range(5):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return round(min(seconds), 4)


if __name__ == "__main__":
    main()
