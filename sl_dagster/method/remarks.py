"""The wordings of remarks about the writing of a text, in English and Chinese.

Good texts speak of letters, changes and versions, too. So a remark names what only the writer of
this text speaks of: a verb of rewriting together with *this* text, or the craft of writing
("repetitive words"); an opener ("Of course, ...") or an offer ("Let me know ...") alone is none.
"""

import re

# Verbs of rewriting; also as what a text is after it. What is written; of these the names that only
# a piece of work has.
_ENDING = r"(?:e|ed|es|ing|s)?\b"
_REWRITE = (
    rf"(?:(?:revis|edit|expand|extend|enrich|lengthen|enhanc|polish|refin|rephras|reword"
    rf"|restructur|elaborat|proofread){_ENDING}|re-?wr(?:ites?|itten|iting|ote)\b)"
)
_NEW = (
    rf"(?:{_REWRITE}|(?:improv|updat|correct)(?:ed|ing)\b|modified|longer|lengthier|fuller|richer"
    r"|more detailed)"
)
_WORK = (
    r"(?:(?:text|version|response|draft|passage|rewrite|revision|rewriting|expansion|content)s?\b)"
)
_PIECE = (
    rf"(?:{_WORK}|(?:story|stories|tale|narrative|essay|article|letter|poem|speech|piece|post"
    r"|report|paragraph|answer|email|chapter|script|document|review)s?\b)"
)
_THE = r"(?:the|this|your|my|each|every|that|it)\b"
# What only the writer of a text speaks of; what others do, too.
_CRAFT = (
    r"(?:(?:repetiti\w+|redundan\w+|grammar|grammatical|punctuation|spelling|phrasing|readability"
    r"|sensory|imagery|dialogue|descriptive|sentence structure|original (?:text|tone|meaning|style"
    r"|structure|message|story|content|version|intent|voice|paragraphs?|ideas?|narrative|themes?)"
    r"|your (?:instructions?|requirements?|request|prompt))\b)"
)
_DETAIL = (
    r"(?:(?:wording|descriptions?|original|details?|depth|tone|clarity|flow|sentences?|paragraphs?"
    r"|instructions|requirements|prompt|[\d,.]+ words)\b)"
)
_MORE_DETAIL = (
    r"(?:wording|descriptions?|(?:more|new|additional|vivid) (?:[\w-]+ )?"
    r"(?:details?|sentences|paragraphs))\b"
)
_CHANGED = (
    r"(?:(?:made|add(?:ed)?|remov(?:ed)?|changed?|corrected|replaced|included?|incorporated|kept"
    r"|maintained|preserved|clarified|fixed|simplified|adjusted|shortened|eliminated|omitted|used"
    r"|focused|ensured|provided|introduced|varied|followed|tried|aimed|improved|updated|modified)\b)"
)
_SHOWS = (
    r"(?:(?:\w+ly |also |now )?(?:includ|add|keep|maintain|provid|is\b|has\b|us|expand|remov"
    r"|preserv|aim|meet|incorporat|elaborat|captur|enrich|offer|contain|give|giving|follow|focus"
    r"|help|mak|should\b|now\b)\w*)"
)
_CHANGES = r"(?:changes|edits|revisions|corrections|improvements|adjustments|additions)\b"
_REST = r"[^.!?\n]*\b"  # of the sentence
_LINE = r"[^.!?:\n]*"  # without a colon

# "Sure!", "Okay,", "As requested,", "Thank you for your request."
_OPENER = (
    r"(?:(?:sure(?: thing)?|certainly|of course|absolutely|understood|got it|here you go"
    r"|ok(?:ay)?|great|yes|al(?:l )?right|as (?:requested|instructed|you asked)"
    r"|thank you for [^.!?\n]{0,60}"
    r"|i(?:['’]d be happy to| would be happy to| can) help(?: with that| you)?)\s*[,!.:–—-]\s*)"
)
_HERE = (
    r"(?:(?:here(?:['’]s| is| are| goes)|below,? (?:is|are|you(?:['’]ll| will)? find)"
    r"|what follows is|the following(?: \w+)? is)\b)"
)
_I_WILL = r"(?:i(?:['’]ll| will|['’]d be happy to| would be happy to| can)|let(?:['’]s| me| us))\b"
_HANDING_OVER_IN_ENGLISH = [
    # "Here is the revised text:", "Below is a longer version of your story."
    rf"{_HERE}{_LINE}\b{_NEW}{_LINE}\b(?:{_PIECE}|it){_LINE}[.:!]?",
    rf"(?:{_HERE}|this is) (?:the|your) (?:(?:final|new|full|completed?) )?{_WORK}"
    rf"(?: of (?:the|your|this) {_PIECE})?:",
    rf"{_HERE} (?:your {_PIECE}|the {_PIECE} with (?:more|added|richer|extra)\b"
    rf"|an? version of (?:the|your) {_PIECE}){_LINE}:",
    rf"this is (?:an?|the|your) {_LINE}{_NEW} {_PIECE}{_LINE}:",
    rf"this is (?:an?|the|your) {_LINE}{_NEW} {_PIECE} of (?:the (?:original|given)|your)\b"
    rf"{_LINE}\.?",
    rf"(?:an?|the) {_NEW} {_PIECE} (?:of (?:the|your) {_PIECE}|(?:reads|is|goes) as follows):",
    # "Revised version:", "Edited Text", "Response:"
    rf"(?:the |my |your )?{_NEW} (?:{_WORK}(?: of {_LINE})?:?|{_PIECE}:)",
    rf"(?:the |my )?final {_WORK}:|(?:output|response):",
    # "I'd be happy to expand this for you.", "Let's expand on this:"
    rf"{_I_WILL} (?:\w+ )?{_REWRITE} (?:on |upon )?(?:(?:the|your|this|that) {_PIECE}|this|that|it)"
    r"\b(?: (?:for you|further|below))?[.:!]",
]
_REWRITE_IN_CHINESE = "(?:扩写|改写|润色|扩展|扩充|重写|充实|完善|修改|丰富)"
_PIECE_IN_CHINESE = "(?:文章|版本|全文|故事|作文|文本|文稿|稿件|回答|内容|正文)"
_HANDING_OVER_IN_CHINESE = [
    # 以下是扩写后的文章： 以下是全文： 扩写版：
    rf"(?:以下|下面|这)就?(?:是|为)[^。！？：:\n]{{0,20}}(?:{_REWRITE_IN_CHINESE}|更长|更详细|加长|您)"
    rf"[^。！？：:\n]{{0,20}}{_PIECE_IN_CHINESE}[^。！？：:\n]{{0,12}}[:：。]",
    rf"(?:以下|下面)就?(?:是|为)(?:完整的?)?{_PIECE_IN_CHINESE}[:：]",
    rf"(?:以下|下面)就?(?:是|为)对?原文的?{_REWRITE_IN_CHINESE}[:：]",
    rf"{_REWRITE_IN_CHINESE}(?:(?:后|过|版)的?{_PIECE_IN_CHINESE}?(?:如下)?|的?(?:版本|版|稿))[:：]?",
    rf"我(?:对|来|将|会|已)[^。！？：:\n]{{0,12}}{_REWRITE_IN_CHINESE}[^。！？：:\n]{{0,20}}[:：]",
]

_BEFORE_REMARK = (
    r"(?:(?:please )?note(?: that|\W*:)?\W*)?"
    r"(?:(?:overall|additionally|also|finally|lastly|in summary|in addition|as requested"
    r"|as instructed|as you can see)\W+)?"
)
_I_HAVE = r"(?:(?:i|we)(?:['’]ve| have)(?: \w+ly| also| then| just| only)*)"
_I = r"(?:(?:i|we)(?:['’]ve| have)?(?: \w+ly| also| then| just| only)*)"
_REMARK_IN_ENGLISH = [
    # "I removed repetitive words", "I expanded every paragraph", "I've added vivid descriptions"
    rf"(?:in (?:this|the) [\w ]{{0,24}}{_PIECE},? )?{_I} {_CHANGED}{_REST}{_CRAFT}",
    rf"{_I} (?:tried to )?{_REWRITE} (?:on |upon )?{_THE}{_REST}"
    rf"(?:{_WORK}|(?:paragraphs?|sentences?|sections?|wording|original|instruct\w+)\b|characters['’])",
    rf"{_I_HAVE} {_REWRITE} (?:on |upon )?{_THE}(?: \w+)* {_PIECE}",
    rf"{_I_HAVE} (?:taken care|tried|aimed) to (?:keep|preserve|maintain|{_REWRITE}){_REST}"
    rf"(?:{_CRAFT}|{_DETAIL}|{_WORK})",
    rf"{_I_HAVE} (?:added|changed|removed|included){_REST}{_MORE_DETAIL}",
    rf"{_I_HAVE} (?:followed (?:the|your) instructions|taken the liberty of)\b",
    rf"{_I} made {_REST}{_CHANGES}{_REST}(?:the|your|this) (?:original )?{_PIECE}",
    rf"in (?:this|the) (?:{_NEW} {_PIECE}|(?:version|rewrite|revision|rewriting|expansion)\b),?"
    rf" (?:i|we)\b{_REST}(?:{_REWRITE}|{_CHANGED})",
    rf"in (?:this|the) {_NEW} {_PIECE},{_REST}(?:{_CRAFT}|{_DETAIL})",
    rf"to {_REWRITE} (?:this|the) {_PIECE}, i will\b"
    rf"|(?:remember, )?this is (?:just|only) one way to {_REWRITE}"
    rf"|thank you for {_REST}to {_REWRITE} (?:this|the|your)\b",
    rf"my (?:goal|aim|intention) was to {_REWRITE} {_THE}(?: \w+)* {_PIECE}",
    # "The revised version includes more details", "This rewrite keeps the original tone"
    rf"(?:the|this|my|your|above) {_NEW} {_PIECE}(?: above)? {_SHOWS}{_REST}"
    rf"(?:{_CRAFT}|{_DETAIL}|{_WORK}|{_NEW}|the (?:characters|story|setting|scene|reader)\b)",
    r"(?:this (?:version|response|rewrite|revision|draft|edit|expansion|rewriting)"
    rf"|the (?:text|passage) now|(?:the|these|my) (?:{_CHANGES}|added details)(?: i made)?)"
    rf" {_SHOWS}{_REST}(?:{_CRAFT}|{_DETAIL}|{_WORK}|the story|the reader)",
    rf"(?:the above {_PIECE}|the {_PIECE} above) is (?:an? |the )?{_NEW}",
    rf"this is (?:an?|the) {_NEW} {_PIECE} of (?:the original|your)\b",
    r"(?:more|additional|sensory) details (?:were|have been) added\b",
    rf"by (?:adding|expanding|including)\b{_REST}the {_PIECE} (?:\w+ly )?(?:becomes|is|now)\b",
    # "The text has been rewritten.", but not by whom
    rf"(?:the|this|your|each|every) (?:original )?(?:(?:{_WORK}|paragraphs?) (?:was|were)"
    rf"|{_PIECE} (?:is now|ha(?:s|ve) been)) (?:\w+ly )?{_REWRITE}(?! by (?!\w+ing\b))",
    # "Changes made:", "Word count: 1,204", "812 words", "End of response"
    rf"(?:key |main |the )?{_CHANGES} (?:i )?made\W*$|(?:key|main) {_CHANGES}\W*:\W*$",
    r"(?:total |approximate )?(?:word count|words):?\W{0,3}(?:approximately |about )?\d[\d,.]*"
    r"(?: words)?\W*$",
    r"(?:approximately |about |total: )?\d[\d,.]* words\W*$",
    rf"(?:this concludes|(?:here )?ends?(?: of)?) (?:the )?(?:{_NEW} {_PIECE}|response|rewrite"
    r"|output)\W*$",
    # "Let me know if you would like me to change anything."
    rf"(?:please )?(?:let me know|feel free to)\b{_REST}(?:adjust|modif|edit|chang|custom|adapt"
    r"|expan|exten|revis|tweak|refine|elaborat|rewrit|longer|shorter|me to continue)\w*",
    rf"(?:would you like|do you want|shall i|if you(?:['’]d| would)? (?:like|want|wish))\b{_REST}"
    rf"(?:me to|i can|i could|shall i|i)\b{_REST}(?:{_REWRITE}|chang\w+|adjust\w*|longer|shorter"
    r"|continue)",
    rf"i(?:['’]m| am|['’]d be| would be) happy to (?:make|provide)\b{_REST}{_CHANGES}",
    rf"i hope (?:that )?(?:it|(?:this|these|the)(?: {_NEW})?(?: {_PIECE})?) (?:meets?|fits?)"
    r" (?:your|the)\b",
    rf"i hope (?:that )?(?:(?:this|these|the) {_NEW} {_PIECE}|this is what you were looking for)",
    r"as an ai\b",
]
_REMARK_IN_CHINESE = [
    # 注：我删去了重复的句子。 以上是扩写后的版本。 我对原文进行了扩写。
    rf"(?:注|说明|备注|注意|修改说明)[:：][^\n]*(?:{_REWRITE_IN_CHINESE}[了后]|字数|原文基础上"
    r"|我[^。\n]*(?:删|原文|重复))",
    rf"(?:以上|上述)[^。\n]{{0,20}}{_REWRITE_IN_CHINESE}",
    rf"这(?:就?是|篇|个)?{_REWRITE_IN_CHINESE}(?:后|版|过)",
    rf"这篇?(?:文章|故事|作文)?(?:经过|已经?)了?{_REWRITE_IN_CHINESE}",
    rf"我?(?:已经?)?(?:对(?:原文|全文|文章|文本|内容|段落)[^，。\n]{{0,8}}{_REWRITE_IN_CHINESE}"
    r"|在原文的?基础上)",
    r"我(?:已经?|们)?[^，。\n]{0,8}(?:删除|删去|去掉|扩写|改写|润色|扩充)了?[^。\n]{0,30}"
    r"(?:原文|重复|文章|段落|句子|词语|语句|描写)",
    r"我(?:已经?|们)?(?:增加|添加|补充|修改|保留|调整)了?[^。\n]{0,30}(?:原文|重复|冗余|语句|细节|描写)",
    r"通过(?:增加|添加|补充)[^。\n]*(?:文章|故事|文本|内容)(?:更|变得)",
    rf"希望(?:这|本|{_REWRITE_IN_CHINESE})[^。\n]{{0,16}}(?:{_PIECE_IN_CHINESE}|符合)[^。\n]{{0,8}}"
    r"(?:您|你的)",
    r"希望[^。\n]{0,8}符合您的(?:要求|需求|期望)",
    r"(?:如果?您|如需|如果?[^。\n]{0,12}(?:进一步|其他))[^。\n]{0,16}(?:修改|调整|改动|补充|扩展)"
    r"[^。\n]{0,12}(?:告诉我|告知|随时)",
    r"[（(]?(?:全文|本文|字数)(?:共|约|总计|统计)?[:：]?\s*约?\d+\s*字",
]
_POLITE = [
    r"(?:please )?(?:let me know|feel free to|don['’]t hesitate|note(?: that|:))\b",
    r"(?:i )?hope (?:that )?(?:this|it|you)\b",
    r"is there anything else\b|(?:if|should) you need\b|would you like\b|thank you\b",
    r"希望|如果?[^。\n]{0,20}(?:告诉我|告知|随时)|谢谢|感谢",
]


def _any_of(patterns: list[str]) -> str:
    return f"(?:{'|'.join(patterns)})"


# A line that hands a text over, from its beginning to its end.
HANDING_OVER = re.compile(
    rf"{_OPENER}{{0,2}}{_any_of(_HANDING_OVER_IN_ENGLISH)}\W*"
    rf"|(?:sure|certainly|of course|absolutely|okay)\s*[!:]|{_OPENER}here (?:you go|it is)\W*"
    r"|(?:(?:好的|当然(?:可以)?|没问题|根据您的要求)[，,。！!：:]\s*)?"
    rf"{_any_of(_HANDING_OVER_IN_CHINESE)}\W*",
    re.IGNORECASE,
)
# How a remark begins; what may stand before it, where the remark hands the text over.
REMARK = re.compile(
    rf"{_BEFORE_REMARK}{_any_of(_REMARK_IN_ENGLISH + _REMARK_IN_CHINESE)}", re.IGNORECASE
)
OPENERS = re.compile(rf"{_OPENER}{{1,2}}", re.IGNORECASE)
# What is a remark beside another one, but not alone: everybody says so.
POLITE = re.compile(_any_of(_POLITE), re.IGNORECASE)
