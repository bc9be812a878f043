"""What a model says about its work, before or after the text that it was asked for.

An instruct model hands a text over ("Here is the expanded version:") and explains it afterwards
("I removed repetitive words and added detail."). A good text may speak of a response or a
paragraph, too; so what is looked for is a whole remark about the writing, never a single word.
English and Chinese remarks are known.
"""

import re
from dataclasses import dataclass

# Verbs of rewriting, as stems; what is written, and what is written in it.
_STEM = (
    r"(?:revis|edit|rewrit|re-writ|expand|extend|enrich|improv|updat|lengthen|enhanc|polish|refin"
    r"|modif|rephras|reword|restructur|elaborat|correct|proofread|finali[sz])\w*"
)
_PIECE = (
    r"(?:text|version|response|draft|passage|rewrite|revision|story|essay|article|letter|poem"
    r"|speech|narrative|piece|post|report|paragraph|answer|content|email|tale|chapter|edit"
    r"|expansion|script|document|review)s?"
)
_PART = (
    rf"(?:{_PIECE}|sentences?|wording|phrasing|phrases?|words?|repetit\w+|redundan\w+|grammar\w*"
    r"|punctuation|spelling|clarity|readability|tone|original|narrative|instructions?|assignment"
    r"|prompt|vocabulary|language|details?|flow)"
)
_DID = (
    r"(?:made|add(?:ed)?|remov(?:ed)?|revised?|rewr(?:ote|itten)|edit(?:ed)?|changed?|corrected"
    r"|replaced|rephrased|reworded|rearranged|expanded|enriched|enhanced|improved|polished|refined"
    r"|modified|lengthened|extended|elaborated|includ(?:ed)?|incorporated|kept|maintained"
    r"|preserved|restructured|clarified|fixed|simplified|adjusted|shortened|eliminated|omitted"
    r"|tried|aimed|used|focused|ensured|provided)"
)
_HANDING_OVER = "|".join(
    [
        # "Here is the revised text:", "Below is a longer version of your story."
        rf"(?:here(?:['’]s| is| are)|below (?:is|are)|the following is|this is)\b[^.!?\n]*"
        rf"\b(?:{_STEM}|longer|final|new|full|complete|your)\b[^.!?\n]*\b{_PIECE}\b[^!?\n]*",
        rf"(?:here(?:['’]s| is| are)|below (?:is|are))\b[^.!?\n]*\b{_PIECE}\b[^.!?\n]*:",
        # "Revised version:", "Edited Text"
        rf"(?:the |my |your )?(?:{_STEM}|final|longer) {_PIECE}(?: of [^.!?:\n]*)?:?",
        # "Sure! Here you go:"
        r"(?:sure|certainly|of course|absolutely|understood|got it)\b\s*[,!.:][^\n]{0,200}[:.!]?",
        # 好的，以下是扩写后的文章：
        r"(?:好的|当然(?:可以)?|没问题)[，,。！!][^\n]{0,80}",
        r"(?:以下|下面)(?:就?是|为)[^。\n]{0,30}(?:文章|版本|全文|故事|作文|文本|稿|回答)"
        r"[^。\n]{0,12}[:：。]",
        r"(?:修改|扩写|改写|润色|扩展|重写|充实|完善)(?:后|过)?的?[^。\n]{0,12}[:：]",
    ]
)
_REMARK = "|".join(
    [
        # "I removed repetitive words", "In this version, we have also changed the wording"
        rf"(?:in (?:this|the) [\w ]{{0,24}}{_PIECE},? )?(?:i|we)(?:['’]ve| have)?"
        rf"(?: \w+ly| also| then| just| only)* {_DID}\b[^.!?\n]*\b{_PART}\b",
        # "The revised version ...", "In this expanded text ..."
        rf"(?:in )?(?:the|this|my|your|above) (?:{_STEM}|longer|final) {_PIECE}\b",
        # "This version includes ...", "This rewrite keeps ..."
        r"this (?:version|response|rewrite|revision|draft|edit|expansion|rewriting)"
        r" (?:\w+ly |also |now )?(?:includ|add|keep|maintain|provid|is|has|us|expand|remov|preserv"
        r"|aim|should|meet|incorporat|elaborat|captur|enrich|offer)\w*",
        # "Changes made:", "Note: I have kept ...", "(Word count: 1,204)"
        r"(?:key |main |the )?(?:changes|edits|revisions)(?: (?:i )?made)?:?$",
        # "The text has been rewritten."
        rf"(?:the|this|your) (?:original )?{_PIECE} (?:was|were|is now|has been|have been)"
        rf" (?:\w+ly )?{_STEM}\b",
        rf"(?:please )?note(?: that|:)[^\n]*\b(?:i|{_STEM}|rewritten|original|response|word count"
        r"|instructions)\b",
        r"(?:total |approximate )?word count:? *\W{0,2}[\d,]+",
        # "Let me know if you would like me to change anything."
        r"(?:please )?(?:let me know|feel free to)\b[^\n]*\b(?:if|whether|adjust|modif|edit|ask"
        r"|chang|custom|adapt)\w*",
        rf"i hope (?:that )?(?:this|these)\b[^\n]*\b(?:helps?|helpful|meets|useful|{_PIECE})\b",
        r"(?:would you like|do you want|shall i|is there anything)\b[^\n]*\b(?:me|else|i)\b",
        # 注：我删去了重复的句子。
        r"(?:注|说明|备注|注意|修改说明)[:：][^\n]*(?:修改|扩写|改写|润色|原文|字数|版本|重复)",
        r"(?:以上|上述|这)(?:就?是|为|篇|个|段)?[^。\n]{0,16}(?:扩写|改写|润色|重写|修改后|修改版)",
        r"我(?:已经?|们)?[^，。\n]{0,8}(?:删除|删去|去掉|增加|添加|补充|修改|扩写|改写|润色|保留|调整)了?"
        r"[^。\n]{0,30}(?:原文|重复|文章|段落|句子|词语|语句|描写)",
        r"希望[^。\n]{0,16}(?:对您|对你|您|你|符合)[^。\n]{0,24}(?:帮助|要求|满意|喜欢)",
        r"(?:如果|如有|如需)[^。\n]{0,24}(?:修改|调整|改动|补充)[^。\n]{0,12}(?:告诉我|告知|请|随时)",
        r"[（(]?(?:全文|本文|字数)(?:共|约|总计|统计)?[:：]?\s*约?\d+\s*字",
    ]
)
_IS_HANDING_OVER = re.compile(rf"(?:{_HANDING_OVER})\W*", re.IGNORECASE)
_IS_REMARK = re.compile(
    rf"(?:(?:overall|additionally|also|finally|lastly|in summary|in addition),? )?(?:{_REMARK})",
    re.IGNORECASE,
)
_IS_LIST_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,2}[.)、])\s")
_IS_RULE = re.compile(r"\W*")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])|(?<=[。！？])(?=.)")

# What stands around a remark; the longest remark, in characters; where remarks are looked for.
_AROUND = " \t\r*_#>-–—\"'“”[](){}（）【】`"
_LONGEST = 800
_EDGE_LINES = 4
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
    return bool(_IS_HANDING_OVER.fullmatch(line) or _IS_REMARK.match(line))


def _begin_of_remarks(text: str, begin: int) -> int:
    """Where the remarks begin that nothing but remarks and their lists follow; else the end."""
    place = end = len(text)
    for line in reversed(text[begin:].split("\n")[-_LAST_LINES:]):
        start = place - len(line)
        plain = line.strip(_AROUND)
        if len(plain) <= _LONGEST and _IS_REMARK.match(plain):
            end = start
        elif plain and not _IS_LIST_ITEM.match(line):
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
        if stop - first > _LONGEST or not _IS_REMARK.match(text[first:stop].strip(_AROUND)):
            break
        end = first
    return end


def _is_rule_before(text: str, begin: int, end: int) -> bool:
    """Whether the line that ends here is empty or a rule, and something else is cut behind it."""
    line = text[text.rfind("\n", begin, end - 1) + 1 : end]
    return end < len(text) and text[end - 1] == "\n" and _IS_RULE.fullmatch(line) is not None
