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

texts = st.one_of(st.text(), st.lists(_repeated, max_size=8).map("".join))
