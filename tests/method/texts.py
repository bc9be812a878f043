"""Texts for property-based tests: mixed scripts, code, all line ends, and many repeats."""

from hypothesis import strategies as st

# Whole pieces rather than single characters, so that repeats, endings and meta words are common.
_PIECES = [
    "the", "bridge", "a revised", "version", "well-known", "RESPONSE", "para", "graph", "x",
    "桥", "很旧", "他说：“好。”", "，", "。", "！", "…", "……", "...", "ＡＢ",
    "（一）", "　", "『』", "😀", "👩\u200d👧", "é", "e\u0301", "עברית",
    "\u00a0", "\u200b", "\u2028", "\x0b",
    ".", "!", "?", ",", ";", ":", "-", '"', "'", ")", "]", "}", ">", "`", "’", "”", "）", "】",
    "```python\nfor i in x:\n\n    print(i)\n```", "| a | b |", "# Title",
    " ", "  ", "\t", "\n", "\n\n", "\r\n", "\r\n\r\n", "\r", "\n \t\n", "---",
]  # fmt: skip

_repeated = st.builds(
    lambda piece, count: piece * count,
    st.lists(st.sampled_from(_PIECES), min_size=1, max_size=16).map("".join),
    st.integers(1, 3),
)

any_text = st.text(st.characters(exclude_categories=()))  # lone surrogates, too
texts = st.one_of(st.text(), st.lists(_repeated, max_size=8).map("".join))


def read_chinese(text: str) -> int:
    """The number that a Chinese numeral stands for."""
    digits = {"零": 0, "两": 2} | {digit: k for k, digit in enumerate("一二三四五六七八九", 1)}
    places = {"十": 10, "百": 100, "千": 1000}
    total = part = digit = 0
    for character in text:
        if character in digits:
            digit = digits[character]
        elif character == "万":
            total, part, digit = (part + digit) * 10_000, 0, 0
        else:
            part, digit = part + (digit or 1) * places[character], 0
    return total + part + digit
