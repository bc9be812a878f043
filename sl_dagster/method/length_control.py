"""Length control: a length that a response has is woven into its query (paper, section 3.5).

Which length is asked for, how it is put into words, and whether the model has woven it in without
changing anything else. *Above* a length means at least that many words, *below* it at most that
many, so that what a query asks for is always true of its response.
"""

import random
import re
from dataclasses import dataclass
from typing import Literal

from rapidfuzz.distance import LCSseq

from sl_dagster.method.diversity import tokens
from sl_dagster.method.filters import CutOff, cut_off
from sl_dagster.method.language import Language, is_written_in
from sl_dagster.method.lengths import length_named_in
from sl_dagster.method.numerals import chinese_numeral

ConstraintType = Literal["about", "range", "above", "below"]
WeavingDropReason = (
    CutOff
    | Literal["no_constraint", "other_length", "query_changed", "text_added", "wrong_language"]
)

SHARES: dict[ConstraintType, float] = {"about": 0.40, "range": 0.25, "above": 0.10, "below": 0.25}
_COARSE = 0.2  # share of the lengths that are multiples of the second, coarser number
_CHINESE_NUMERALS = 0.5

# What must survive of a query's tokens, in order, and what may join them besides the constraint.
MIN_KEPT = 0.8
_ADDED_SHARE, _ADDED_TOKENS = 0.25, 12

_PHRASES: dict[Language, dict[ConstraintType, tuple[str, ...]]] = {
    "en": {
        "about": ("about {} words", "around {} words", "roughly {} words"),
        "range": ("between {} and {} words", "{} to {} words"),
        "above": ("at least {} words", "no fewer than {} words", "{} words or more"),
        "below": ("at most {} words", "no more than {} words", "{} words or fewer"),
    },
    "zh": {
        "about": ("大约{}字", "约{}字", "{}字左右"),
        "range": ("{}到{}字", "{}至{}字", "{}字到{}字之间"),
        "above": ("至少{}字", "不少于{}字", "{}字以上"),
        "below": ("最多{}字", "不超过{}字", "{}字以内"),
    },
}

# The languages in which a length can be asked for.
LANGUAGES = tuple(_PHRASES)

_UNITS: dict[Language, str] = {"en": "words", "zh": "字"}

# What would make another number of a number that it precedes.
_IN_NUMBER = r"[\d.,，．零一二两三四五六七八九十百千万]"


@dataclass(frozen=True)
class Constraint:
    """A length to be asked for.

    Attributes:
        type: how the response's length relates to the numbers.
        words: the number of words, or the two ends of a range.
        text: the same as it stands in the query, in the query's language.
    """

    type: ConstraintType
    words: tuple[int, ...]
    text: str


def draw_constraint(
    words: int,
    language: Language,
    *,
    min_words: int,
    max_words: int,
    roundings: tuple[int, int],
    seed: int,
) -> Constraint:
    """Draw a constraint for a response.

    Args:
        words: of the response, ``min_words`` <= words < ``max_words``.
        language: of its query.
        min_words, max_words: bounds of the lengths that are asked for (paper: 2,000 and 8,000).
        roundings: four of five lengths are multiples of the first number, the others of the
            second (paper: 1,000 and 2,000).
        seed: makes the draw repeatable.
    """
    draw = random.Random(seed)
    [kind] = draw.choices(list(SHARES), list(SHARES.values()))
    step = roundings[draw.random() < _COARSE]
    numbers = rounded(words, kind, step, min_words, max_words)
    in_chinese = language == "zh" and draw.random() < _CHINESE_NUMERALS
    written = [chinese_numeral(number) if in_chinese else str(number) for number in numbers]
    text = draw.choice(_PHRASES[language][kind]).format(*written)
    return Constraint(kind, numbers, text)


def rounded(
    words: int, kind: ConstraintType, step: int, min_words: int, max_words: int
) -> tuple[int, ...]:
    """The numbers of a constraint: multiples of the step, unless a bound is in the way.

    Returns:
        ``about``: the nearest multiple. ``above``: the next one below, ``below``: the next one
        above (the length itself, if it is a multiple). ``range``: both, or the length itself and
        the multiple after it.
    """

    def within(number: int) -> int:
        return min(max(number, min_words), max_words)

    low = within(words // step * step)
    high = within(-(-words // step) * step)
    if kind == "about":
        return (within((words + step // 2) // step * step),)
    if kind == "above":
        return (low,)
    if kind == "below":
        return (high,)
    return low, high if high > low else within(low + step)


def weaving_drop_reason(
    woven: str, query: str, constraint: Constraint, language: Language, *, finish_reason: str
) -> WeavingDropReason | None:
    """Say why a query into which the model has woven a constraint cannot be used, or None.

    Args:
        woven: what the model wrote, without surrounding white space.
        query: what it was given.
        constraint: what was to be woven in.
        language: of the query.
        finish_reason: why the generation ended.

    Returns:
        ``truncated`` or ``looping`` (see ``filters.cut_off``), ``no_constraint`` (its words do
        not occur as they are), ``other_length`` (another length, or another type of constraint,
        is named besides),
        ``query_changed`` (less than 80 % of the query's words, or Chinese characters, survive in
        their order), ``text_added`` (more was added than a constraint needs), ``wrong_language``,
        or None.
    """
    if reason := cut_off(finish_reason):
        return reason
    found = _find(constraint.text, woven)
    if not found:
        return "no_constraint"
    before, after = woven[: found.start()], woven[found.end() :]
    rest = f"{before} {after}"
    if length_named_in(rest) or _contradicted(constraint.type, language, before, after):
        return "other_length"
    given, left = tokens(query), tokens(rest)
    kept = LCSseq.similarity(given, left)
    if kept < MIN_KEPT * len(given):
        return "query_changed"
    if len(left) - kept > _ADDED_SHARE * len(given) + _ADDED_TOKENS:
        return "text_added"
    return None if is_written_in(woven, language) else "wrong_language"


def _find(constraint: str, text: str) -> re.Match[str] | None:
    """Where a constraint stands in a text, whatever its case and white space."""
    words = r"\s+".join(re.escape(word) for word in constraint.split())
    end = r"\b" if constraint.isascii() else ""
    return re.search(rf"(?<!{_IN_NUMBER}){words}{end}", text, re.IGNORECASE)


def _contradicted(kind: ConstraintType, language: Language, before: str, after: str) -> bool:
    """Whether words of another type stand at the constraint: "at most 3000 words or more"."""
    for other, phrases in _PHRASES[language].items():
        for phrase in phrases:
            head = phrase.partition("{}")[0].strip()
            tail = phrase.rpartition(_UNITS[language])[2].strip()
            if other != kind and (
                (head and before.rstrip().lower().endswith(head))
                or (tail and after.lstrip().lower().startswith(tail))
            ):
                return True
    return False
