"""Telling languages apart, by their script and by py3langid's model of 97 and more of them."""

import re
from functools import cache
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from sl_dagster.method.scripts import HAN, HANGUL, KANA

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier


def _language_code(value: str) -> str:
    if not re.fullmatch("[a-z]{2,3}", value):
        raise ValueError(f"expected a language's ISO code, such as en, zh or de, found {value!r}")
    return value


# An ISO 639 code, such as "en", "zh" or "ko".
Language = Annotated[str, AfterValidator(_language_code)]

# Those that the project itself has prompts and seeds for.
BUILT_IN_LANGUAGES = ("en", "zh")

# Fences may stand further in, under the step of a list.
_CODE_BLOCK = re.compile(r"^[ \t]*(```|~~~(?!~)).*?(?:^[ \t]*\1|\Z)", re.MULTILINE | re.DOTALL)
# Every repetition is bounded, or begun by a character of its own, so that time grows with the text.
_NO_PROSE = re.compile(r"`[^`\n]{0,200}`|https?://\S+|[\w.+-]{1,64}@[\w.-]+|<[^<>\n]{0,200}>")
_WORD = re.compile(rf"[^\W\d_{HAN}{KANA}]+")
_HANGUL = re.compile(f"[{HANGUL}]")
_KANA = re.compile(f"[{KANA}]")
_HAN = re.compile(f"[{HAN}]")

# The languages that their scripts give away; all others are told apart by their words.
_BY_SCRIPT = ("zh", "ja", "ko")
# Codes of the model for what is written in the same language.
_SAME = {"wuu": "zh", "yue": "zh", "nn": "no", "nb": "no", "pcm": "en", "sco": "en"}
_CHARACTERS_PER_WORD = 1.6
# Chinese quotes a Japanese name now and then; Japanese without kana is a title.
_KANA_SHARE = 0.1
_TITLE = 10
# A text is in another language if that is likelier by so many nats, and so many more for each word
# (measured: excerpts of ten words and more of six languages; one in a thousand goes beyond).
_DOUBT, _DOUBT_PER_WORD = 40.0, 1.0
_LONGEST = 200_000


def detect_language(text: str) -> Language:
    """Which language a text is written in, whatever it quotes from others.

    Fenced code blocks do not count, unless there is nothing else. A text without letters, and one
    that is too short to tell, is taken for English.

    Returns:
        An ISO 639 code.
    """
    text = _prose(text) or text
    script = _script(text)
    return script if script in _BY_SCRIPT else _other_than(text, "en") or "en"


def is_written_in(text: str, language: Language) -> bool:
    """Whether a text may be written in this language.

    False only where there is no doubt: a short text in the same script counts as written in it, as
    does code alone.
    """
    prose = _prose(text)
    script = _script(prose)
    if script is None:
        return True
    if script != (language if language in _BY_SCRIPT else ""):
        return (language, script) == ("ja", "zh") and len(_HAN.findall(prose)) < _TITLE
    return script in _BY_SCRIPT or _other_than(prose, language) is None


def _prose(text: str) -> str:
    return _CODE_BLOCK.sub("\n", text).strip()


def _script(text: str) -> str | None:
    """``zh``, ``ja`` or ``ko``, "" for a language of another script, None without any letter."""
    text = _NO_PROSE.sub(" ", text[:_LONGEST])
    han, kana = len(_HAN.findall(text)), len(_KANA.findall(text))
    words = _WORD.findall(text)
    korean = sum(1 for word in words if _HANGUL.search(word))
    wide = (han + kana) / _CHARACTERS_PER_WORD
    if not wide and not words:
        return None
    if wide > len(words):
        return "ja" if kana > _KANA_SHARE * (han + kana) else "zh"
    return "ko" if 2 * korean > len(words) else ""


def _other_than(text: str, language: Language) -> Language | None:
    """The language that a text is far likelier written in, or None if there is none."""
    text = _NO_PROSE.sub(" ", text[:_LONGEST])
    words = len(text.split())
    likelihood = dict(_identifier().rank(text))
    expected = max(
        (value for code, value in likelihood.items() if _SAME.get(code, code) == language),
        default=None,
    )
    best = max(likelihood, key=lambda code: likelihood[code])
    found = _SAME.get(best, best)
    if found == language or found in _BY_SCRIPT or expected is None:
        return None
    doubt = _DOUBT + _DOUBT_PER_WORD * words
    return found if likelihood[best] - expected > doubt else None


@cache
def _identifier() -> "LanguageIdentifier":
    # Imported late: the model takes half a second to load, and most runs of the command line
    # detect nothing.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE)
