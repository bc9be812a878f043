"""What a model says about its work, before or after the text that it was asked for.

An instruct model hands a text over ("Here is the expanded version:") and explains it afterwards
("I removed repetitive words and added detail."). A good text may speak of a response or a
paragraph, too; so what is looked for is a whole remark about the writing, never a single word
(see ``remarks``): what is taken off is gone from the text.
"""

import re
from dataclasses import dataclass

from sl_dagster.method.remarks import HANDING_OVER, OPENERS, POLITE, REMARK

_IS_LIST_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,2}[.)、])\s")
_IS_RULE = re.compile(r"\W*")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])|(?<=[。！？])(?=.)")

# What stands around a remark; the longest remark, in characters; where remarks are looked for.
_AROUND = " \t\r*_#>-–—\"'“”[](){}（）【】`"
_LONGEST = 800
_EDGE_LINES = 4
_INTRODUCED_IN = 3  # sentences
_LAST_LINES = 24


@dataclass(frozen=True)
class Cut:
    """What was taken off a text: the commentary that stood before it, and that after it."""

    before: str = ""
    after: str = ""

    def __bool__(self) -> bool:
        return bool(self.before or self.after)

    def __add__(self, other: "Cut") -> "Cut":
        """What was taken off two parts of a text."""
        pairs = ((self.before, other.before), (self.after, other.after))
        return Cut(*("\n\n".join(filter(None, pair)) for pair in pairs))


def without_commentary(text: str) -> tuple[str, Cut]:
    """A text without what its writer says about the writing, and what was taken off.

    Args:
        text: what a model wrote.

    Returns:
        The text, and the remarks before and after it. Between the three there was nothing but white
        space and rules (``---``). Nothing is taken from the middle; a text without remarks comes
        back as it is, and one that is nothing else becomes empty.
    """
    begin = _end_of_introduction(text)
    end = _begin_of_remarks(text, begin)
    if begin == 0 and end == len(text):
        return text, Cut()
    return text[begin:end].strip(), Cut(text[:begin].strip(), text[end:].strip())


def has_commentary(text: str) -> bool:
    """Whether a text begins or ends with remarks about its writing."""
    return bool(without_commentary(text)[1])


def _end_of_introduction(text: str) -> int:
    """Where the text begins after a line or two that hand it over."""
    place = begin = 0
    for line in text.split("\n", _EDGE_LINES)[:_EDGE_LINES]:
        place += len(line) + 1
        plain = line.strip(_AROUND)
        if len(plain) <= _LONGEST and _introduces(plain):
            begin = place
        elif not _IS_RULE.fullmatch(line):
            break
        elif begin:
            begin = place
    return min(begin, len(text))


def _introduces(line: str) -> bool:
    """Whether a line hands the text over, or remarks on it; a paragraph of its own is no line."""
    if len(_SENTENCE.findall(line)) >= _INTRODUCED_IN:
        return False
    opened = OPENERS.match(line)
    remark = line[opened.end() :] if opened else line
    return bool(HANDING_OVER.fullmatch(line) or REMARK.match(remark))


def _begin_of_remarks(text: str, begin: int) -> int:
    """Where the remarks begin that nothing but remarks and their lists follow; else the end."""
    place = end = len(text)
    for line in reversed(text[begin:].split("\n")[-_LAST_LINES:]):
        start = place - len(line)
        plain = line.strip(_AROUND)
        if len(plain) <= _LONGEST and REMARK.match(plain):
            end = start
        elif plain and not _IS_LIST_ITEM.match(line) and not POLITE.match(plain):
            if end == len(text) or not text[place:end].strip(_AROUND + "\n"):
                end = min(end, _last_sentences(text, start, place, end))
            break
        place = start - 1
    while end > begin and _is_rule_before(text, begin, end):
        end = text.rfind("\n", begin, end - 1) + 1 or begin
    return max(begin, end)


def _last_sentences(text: str, start: int, stop: int, end: int) -> int:
    """Where the remarks begin that stand behind good text in its last line; ``end`` if none do."""
    sentences = [start, *(start + m.end() for m in _SENTENCE.finditer(text[start:stop])), stop]
    for first in reversed(sentences[1:-1]):
        remark = text[first:stop].strip(_AROUND)
        if stop - first > _LONGEST:
            break
        if REMARK.match(remark):
            end = first
        elif not POLITE.match(remark):
            break
    return end


def _is_rule_before(text: str, begin: int, end: int) -> bool:
    """Whether the line that ends here is empty or a rule, and something else is cut behind it."""
    line = text[text.rfind("\n", begin, end - 1) + 1 : end]
    return end < len(text) and text[end - 1] == "\n" and _IS_RULE.fullmatch(line) is not None
