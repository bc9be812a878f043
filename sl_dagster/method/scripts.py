"""Scripts: which put no spaces between words, what belongs to a letter, what ends a sentence."""

import unicodedata

HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
KANA = "\u3041-\u3096\u309d-\u309f\u30a1-\u30ff\u31f0-\u31ff\uff66-\uff9d"
# Thai, Lao, Burmese and Khmer. Vowels and tones that stand over or under a letter are none.
BRAHMIC = (
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e50-\u0e59"
    "\u0e81-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6\u0ed0-\u0ed9\u0edc-\u0edf"
    "\u1000-\u102a\u103f-\u1055\u1780-\u17b3"
)
BRAHMIC_MARKS = (
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece"
    "\u102b-\u103e\u1056-\u1059\u17b4-\u17d3"
)
# What makes another kana of the one before it, where it is a character of its own.
KANA_MARKS = "\u3099\u309a\uff9e\uff9f"
HANGUL = "\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3"
# A letter of these says as much as two of others.
EAST_ASIAN = HAN + KANA + HANGUL

# Vowel signs, tones and points belong to the letter before them, whatever regular expressions say.
# (The scripts beyond U+FFFF are those of dead languages and of a few living ones.)
LETTER_MARKS = "".join(
    character
    for character in map(chr, range(0x300, 0x10000))
    if unicodedata.category(character).startswith("M")
) + "\u200c\u200d"  # fmt: skip

# What ends a sentence, as Unicode's property Sentence_Terminal has it, for scripts in use: behind
# the first ones a sentence ends only where white space follows, the others are nothing else.
SPACED_STOPS = ".!?…‼⁇⁈⁉．"
STOPS = (
    "。！？｡"  # Chinese, Japanese
    "؟۔܀܁܂߹։"  # Arabic, Urdu, Syriac, N'Ko, Armenian
    "।॥᱾᱿꫰꫱꯫"  # Devanagari, Bengali and others; Santali; Meitei
    "།༎༏༐༑༔။។៕๚๛"  # Tibetan, Burmese, Khmer, Thai
    "።፧፨᠃᠉꓿꘎꘏"  # Ethiopic, Mongolian, Lisu, Vai
)
