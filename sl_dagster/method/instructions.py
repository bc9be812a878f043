"""Deciding which self-made instructions are fit for the loop (paper, section 3.1)."""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from sl_dagster.method.diversity import SimilarTexts
from sl_dagster.method.filters import CutOff, Preset, cut_off
from sl_dagster.method.language import Language, is_written_in
from sl_dagster.method.lengths import length_named_in
from sl_dagster.method.words import count_words

MIN_WORDS = 4
MAX_WORDS = 499
MAX_SIMILARITY = 0.7  # in ROUGE-L, as in self-instruct (arXiv 2212.10560)

# The seven kinds of writing of the LonGen benchmark: literature and creative writing; academic
# research; business communication; journalism and media; miscellaneous professional writing;
# personal expression; technical documentation.
Kind = Literal[
    "literature", "academic", "business", "journalism", "professional", "personal", "technical"
]

DuplicateReason = Literal["duplicate", "near_duplicate"]
InstructionDropReason = CutOff | Literal["too_short", "too_long", "wrong_language", "names_length"]

_THEM = r"(?:instructions?|assignments?|prompts?|tasks?|exercises?)"
_INSTRUCTIONS = r"(?:instructions?|assignments?|prompts?)"
_ZH_THEM = "(?:写作)?(?:任务|题目|指令|作业)"
# What a model adds to an instruction, at the beginning of a line or of a sentence ...
_ADDED = (
    # one more of them,
    rf"(?:next|fourth)\s+{_THEM}\b|{_THEM}\s*(?:no\.?\s*|\#\s*)?(?:\d+|four|five)\b",
    rf"{_ZH_THEM}\s*(?:\d+|[一二三四五六七八九十]+)\s*[：:、.]",
    # talk about them,
    rf"note\b[^.!?\n]{{0,40}}\b{_THEM}\b",
    rf"(?:all\s+(?:of\s+)?|each\s+of\s+)?(?:these|the\s+above|the\s+three)\s+(?:\w+\s+){{0,2}}{_THEM}\b",
    rf"here\s+(?:are|is)\s+(?:\w+\s+){{0,3}}{_THEM}\b",
    rf"please\s+(?:\w+\s+){{1,3}}(?:these|those|the|your|more|other|all)\s+(?:\w+\s+)?{_INSTRUCTIONS}\b",
    # one of them by its number, the two of the turn that was begun as examples,
    rf"[^.!?\n]{{1,80}}\s{_INSTRUCTIONS}\s+(?:no\.?\s*|\#\s*)?\d\b|in\s+(?:this|these)\s+examples?\b",
    r"(?:注意?|说明|备注)\s*[：:]\s*(?:以上|上述|这[三些])",
    rf"(?:以上|上述|这[三些])(?:是|为|[三几]?[个道项]?{_ZH_THEM})",
    # or talk to the reader,
    r"I\s+hope\s+(?:this|these|that|it)\b|(?:please\s+)?let\s+me\s+know\s+(?:if|whether|how|what)\b",
    r"feel\s+free\s+to\s+(?:ask|let|contact|reach|modify|adjust|change|adapt)\b",
    r"(?:would|do)\s+you\s+(?:like|want)\s+(?:me|more|another)\b",
    r"if\s+you\s+(?:need|want|have|would\s+like)\s+(?:any|some|me|more|further|another)\b",
    "希望(?:这|以上|对你|对您|能帮)|如(?:果)?[你您]?(?:需要|还有|有任何)|(?:需要|要不要)我",
)
# ... and what only a line of its own is: an answer, a turn of a chat, its marks, a rule.
_ADDED_LINE = (
    rf"the\s+(?:following\s+)?{_INSTRUCTIONS}\s+(?:(?:is|are)\s+as\s+follows|above|below)\b",
    rf"in\s+order\s+to\s+(?:\w+\s+){{1,2}}(?:these|the|all)\s+(?:requirements|{_INSTRUCTIONS})\b",
    r"(?:each|this)\s+(?:instruction|assignment|prompt)\s+\w+s\b",
    r"(?:sample\s+|example\s+)?(?:answer|response|output|solution)\s*:",
    r"(?:user|assistant|human|system)\s*:|<\|?\w+\|?>|(?:参考|示例)?(?:答案|回答|范文)\s*[：:]",
    r"(?:-\s*){3,}$|(?:\*\s*){3,}$|={3,}$",
)
_DECORATION = r"[ \t]*(?:[#>*(（]+[ \t]*(?![*-]))?"
_CHATTER = re.compile(
    rf"\n{_DECORATION}(?:{'|'.join((*_ADDED, *_ADDED_LINE))})|"
    rf"(?:(?<=[.!?。！？])|(?<=[.!?][\"”')]))\s*{_DECORATION}(?:{'|'.join(_ADDED)})",
    re.IGNORECASE | re.MULTILINE,
)
_NUMBERED_LINE = re.compile(r"^[\W_]*(\d{1,2})\s*[.)、：:]\s*(?!\d)", re.MULTILINE)
_THIRD = 3  # the instruction is the third of a list that was begun


class CutInstruction(NamedTuple):
    """A self-made instruction, and what followed it (empty if nothing did)."""

    instruction: str
    cut: str


def instruction_in(output: str, preset: Preset = "default") -> CutInstruction:
    """The instruction at the beginning of what a model has written, without what it adds.

    Models go on after an instruction: with a list of more, with a note about what they have
    written, with an offer of help, with an answer. Lists and paragraphs of its own stay.

    Args:
        output: what the model wrote.
        preset: the reference cuts nothing, so with ``reference`` the instruction is all of it.
    """
    text = output.strip()
    if preset == "reference":
        return CutInstruction(text, "")
    places = [match.start() for match in _CHATTER.finditer(text)]
    numbers = [(match.start(), int(match[1])) for match in _NUMBERED_LINE.finditer(text)]
    if numbers and numbers[0][1] == _THIRD + 1 and numbers[0][0] > 0:
        places.append(numbers[0][0])
    end = min((place for place in places if place > 0), default=len(text))
    return CutInstruction(text[:end].rstrip(), text[end:].strip())


def instruction_drop_reason(
    instruction: str,
    *,
    finish_reason: str = "stop",
    language: Language | None = None,
    may_name_length: bool = True,
) -> InstructionDropReason | None:
    """Say why an instruction cannot be used whatever others there are, or None.

    Args:
        instruction: without surrounding white space.
        finish_reason: why the generation ended, if a model wrote it.
        language: in which it was asked for; None accepts any.
        may_name_length: whether it may say how long the text shall be. One that asks for 300 words
            teaches the opposite of the method, and a length that is woven in later contradicts it.
    """
    if reason := cut_off(finish_reason):
        return reason
    words = count_words(instruction)
    if words < MIN_WORDS:
        return "too_short"
    if words > MAX_WORDS:
        return "too_long"
    if language and not is_written_in(instruction, language):
        return "wrong_language"
    return "names_length" if not may_name_length and length_named_in(instruction) else None


def duplicate_reason(
    instruction: str, others: SimilarTexts, max_similarity: float
) -> DuplicateReason | None:
    """Say why an instruction adds nothing to others, or None when it is new.

    Args:
        instruction: without surrounding white space.
        others: those that are used already, or must not be repeated.
        max_similarity: what is more like one of them (by ROUGE-L) is a near-duplicate.
    """
    if instruction in others:
        return "duplicate"
    return "near_duplicate" if others.most_similar(instruction, max_similarity) else None


def reasons_against_duplicates(
    instructions: Iterable[str], max_similarity: float
) -> list[DuplicateReason | None]:
    """Why each of these instructions is dropped: it is like one before it that stays.

    Args:
        instructions: in the order in which they take precedence, read one by one.
        max_similarity: see ``duplicate_reason``.
    """
    staying = SimilarTexts()
    reasons: list[DuplicateReason | None] = []
    for instruction in instructions:
        reasons.append(duplicate_reason(instruction, staying, max_similarity))
        if reasons[-1] is None:
            staying.add(instruction)
    return reasons
