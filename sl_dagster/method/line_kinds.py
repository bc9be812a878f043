"""What a line, or a block of lines, is by its look: an item, a heading, verse, a transcript."""

import re

from sl_dagster.method.scripts import SPACED_STOPS, STOPS

TERMINAL = frozenset(SPACED_STOPS + STOPS)
CLOSING = frozenset(")]}>`）】」』》〉”’»\"'″＂＇")
EMPHASIS = frozenset("*_~|")
# What may stand behind the mark that ends a sentence.
BEHIND = "".join(CLOSING | EMPHASIS | {" "})
LIST_ITEM = re.compile(
    r"^\s*(?:[-*+•·–—▪◦‣○●]|\(?\w{1,3}[.)、．]|[（(][^）)]{1,3}[）)]|[①-⑳])\s*\S"
)
HEADING = re.compile(r"^\s*(?:#{1,6}\s|\*\*[^*]+\*\*:?$|[=~^\"'-]{4,}$)")
# Thai and Lao put a space where others have a full stop.
WITHOUT_STOPS = re.compile("[\u0e01-\u0eff]")
_SPEAKER = re.compile(r"\s*(?:[\[(]?\d{1,2}[:.]\d{2}|<[^<>\n]{1,30}>|\w[\w .-]{0,24}[:>]\s)")
SPACE = re.compile(r"\n[ \t\r\f\v]*\n")
# A line is short up to so many characters; a signature has at most so many words.
SHORT = 60
NAME_WORDS = 6
# Lines of a poem or a transcript have fewer characters on the average.
_VERSE_LINE = 50
# What stands alone under a heading, as a licence's name does.
NOTE_WORDS = 3

# Words that no line ends with: articles, prepositions, pronouns and the like, of some languages in
# which names and headings look like the beginning of a sentence.
LEADING = set(
    re.findall(
        r"\w+",
        """
    a an the and or but nor of to in on at by for from with without into onto upon as than that
    which who whose if when while because although though since is are was were be been am has have
    had will would shall should can could may might must do does did not very my your his her its
    our their this these those i he she we they it there
    der die das den dem des ein eine einen einem einer eines und oder aber im zum zur von mit bei
    sie es wir ihr ist sind wird werden nicht
    le la les des du un une et ou mais de à au aux dans sur avec pour par que qui est sont ne il
    elle nous vous el los las del una y o en con por para se es son il lo gli di da che è
    """,
    )
)


def is_done(text: str) -> bool:
    """Whether a sentence ends it, whatever quotes, brackets or emphasis stand behind."""
    return text.rstrip(BEHIND)[-1:] in TERMINAL


def is_verse(block: str) -> bool:
    """Whether it stands in lines so short that no column was full."""
    *lines, _ = block.split("\n")
    return bool(lines) and sum(map(len, lines)) < _VERSE_LINE * len(lines)


def is_transcript(lines: list[str]) -> bool:
    """Whether a time or a name stands before most of what is said."""
    return 2 * sum(_SPEAKER.match(line) is not None for line in lines) > len(lines)
