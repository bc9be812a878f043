"""Ends that need no full stop in any language."""

import pytest

from sl_dagster.method.endings import looks_finished

STORY = "The harbour woke slowly. Gulls circled the empty quay while Mara counted the ropes."
WHOLE = {
    "mathematics": [
        "\n\n$$\\sum_{i=1}^n i = \\frac{n(n+1)}{2}$$",
        "\n\n\\[ x = 1 \\]",
        "\n\nHence $x = 1$",
        "\n\nHence $a \\leq b$",
        " Hence x = 1. ∎",
        " ∎",
        " This ends the proof. $\\square$",
        " and so the set is empty. QED",
        "\n\nx = 7",
        "\n\nA = πr²",
        "\n\na + b = c",
    ],
    "fields": [
        "\n\nAnswer: 42",
        "\n\n**Answer:** 42 km",
        "\n\nServes: 4 people",
        "\n\nZeit: ca. 45 Minuten",
    ],
    "emoticons": [
        " See you soon :)",
        " Come soon! ;-)",
        " It was fun :D",
        " Love you <3",
        " Miss you xx",
        " ja ^^",
    ],
    "tables": [
        "\n\nName      Bytes     Use\nsmall     1024      tests\nlarge     16384     whole ropes",
        "\n\nName\tBytes\tUse\nsmall\t1024\ttests\nlarge\t16384\tropes",
    ],
    "sources": [
        '\n\n        "The Lamp", p. 17',
        "\n        The Lamp",
        '\n-- from a book of sayings, "The Courage of\n   Lamps", edited by nobody',
    ],
    "addresses": [
        " The files are here:\n\nnfs://server/path",
        " They are at file:///etc/hosts",
        "\n\n/usr/share/doc/harbour",
        "\n\nPath: /usr/share/doc",
        " Clone git@example.org:a/b.git",
        " See example.de/contact",
    ],
}
CUT = [
    "\n\nHence $x",
    "\n\nHence the number $x$",
    "\n\nIn the harbour we saw that the number $x$ of lamps",
    "\n\nx =",
    "\n\nThe lamp of 42",
    "\n\nMara said: the ropes of the harbour are",
    " Mara counted 4 ropes: two of them",
    " The lamps (of the harbour :",
    " The fox",
    "\n\nMara came home.  The lamps were lit and the\nropes were dry.  Nobody had seen the",
    " She edited /etc/hosts and",
    "\n\n  Mara came",
]


@pytest.mark.parametrize("end", [end for ends in WHOLE.values() for end in ends])
def test_ends_that_need_no_stop(end: str) -> None:
    assert looks_finished(STORY + end)


@pytest.mark.parametrize("end", CUT)
def test_what_is_cut_beside_them(end: str) -> None:
    assert not looks_finished(STORY + end)


def test_a_chinese_text_with_latin_stops_throughout() -> None:
    told = "港口慢慢醒来. 她数着绳子, 等着天亮.\n\n后来船都回来了. 没有人说话."
    assert looks_finished(told, "zh")
    assert not looks_finished(told.removesuffix("说话."), "zh")
    assert not looks_finished("港口慢慢醒来。她数着绳子。\n\n后来船都回来了。写完了.", "zh")
