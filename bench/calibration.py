"""How many good texts the default filter keeps, and how many damaged ones it catches, by kind.

Good are the long descriptions of the Python packages that are installed here, and the texts of any
JSON-lines files that are named: one object a line, with `text` and, if known, `kind` and
`language`. Bad ones are made of them by damaging them. Nothing says how a text ended, so that the
end is judged by what stands there; one kind was cut off by a token limit and says so.

    python bench/calibration.py [--half 0|1] [FILE.jsonl ...]

``--half`` takes one half of the texts (by their hash): what was calibrated on one half is reported
on the other. Prints two tables in Markdown, of good texts by kind and of bad ones by damage: the
languages, how many texts, what share of them is kept or caught, and in which language it is least.

`bench/manuals.py` makes a file of some thousand texts in 27 languages.
"""

import argparse
import email
import json
import random
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

from sl_dagster.method.filters import drop_reason
from sl_dagster.method.language import detect_language
from sl_dagster.method.responses import response_drop_reason
from sl_dagster.method.words import count_words

SHORTEST, LONGEST = 60, 8_000  # words
MANY = 10  # texts of a language, to have a share of its own
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")
BREAK = re.compile(r"\n[ \t]*\n")
NO_PROSE = re.compile(r"```|^\s*(?:[$#|<]|\.\. )|^ {4}", re.MULTILINE)
SYMBOL = re.compile(r"[|{}=<>\\]")
HANDED_OVER = (
    "Here is the edited text:", "Here's an expanded version of your story:", "Revised version:",
    "Sure! Below is a longer version of the text.", "I have rewritten the text to make it longer.",
    "Okay, here is the expanded version:", "As requested, here is the longer version of the story.",
    "The following text is an extended version of the original:", "Let me expand on that for you.",
)  # fmt: skip
EXPLAINED = (
    "I removed repetitive words and corrected the grammar.",
    "The revised version includes more details and keeps the original tone.",
    "Note: I have expanded each paragraph as the instructions ask.",
    "In this version, I've added sensory details to every sentence.",
    "I hope this revised text meets your expectations! Let me know if you need any changes.",
    "These additions provide more depth to the story.",
    "I've added more vivid descriptions throughout.\n\n(812 words)",
    "[End of response]\n\nIf you'd like, I can make it even longer.",
    "The text now contains more detail. I hope this helps!",
)


class Text(NamedTuple):
    """One text that somebody wrote."""

    kind: str
    language: str
    text: str


Damage = Callable[[Text, random.Random], str | None]
Outcomes = dict[str, list[bool]]  # by language


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("files", nargs="*")
    parser.add_argument("--half", type=int, choices=(0, 1))
    arguments = parser.parse_args()
    texts = [*package_texts(), *file_texts(arguments.files)]
    if arguments.half is not None:
        texts = [text for text in texts if zlib.crc32(text.text.encode()) % 2 == arguments.half]
    kept: dict[str, Outcomes] = defaultdict(lambda: defaultdict(list))
    for text in texts:
        kept[text.kind][text.language].append(reason(text, text.text) is None)
    print_shares("good texts", "kept", kept)
    caught: dict[str, Outcomes] = defaultdict(lambda: defaultdict(list))
    for name, damage in DAMAGES.items():
        draw = random.Random(name)
        for text in texts:
            if bad := damage(text, draw):
                caught[name][text.language].append(reason(text, bad, name) is not None)
    print_shares("damage", "caught", caught)


def print_shares(what: str, right: str, kinds: dict[str, Outcomes]) -> None:
    """A table in Markdown, with a line for each kind."""
    print(f"| {what} | languages | texts | {right} | least |\n|---|---|---:|---:|---:|")
    for kind, languages in sorted(kinds.items()):
        outcomes = [outcome for one in languages.values() for outcome in one]
        many = {name: one for name, one in languages.items() if len(one) >= MANY}
        least = min(many, key=lambda name: sum(many[name]) / len(many[name]), default="")
        names = " ".join(sorted(languages)) if len(languages) < 4 else len(languages)
        least_share = f"{share(many[least])} ({least})" if len(many) > 1 else ""
        print(f"| {kind} | {names} | {len(outcomes)} | {share(outcomes)} | {least_share} |")
    print()


def package_texts() -> Iterator[Text]:
    """The descriptions of the installed packages."""
    for name, found in sorted({d.name: d for d in distributions() if d.name}.items()):
        raw = found.read_text("METADATA") or found.read_text("PKG-INFO") or ""
        text = str(email.message_from_string(raw).get_payload() or "").strip()
        if SHORTEST <= count_words(text) <= LONGEST and name:
            yield Text("package description", detect_language(text), text)


def file_texts(files: list[str]) -> Iterator[Text]:
    """The texts of files of JSON lines."""
    for name in files:
        with Path(name).open(encoding="utf-8") as lines:
            for line in map(json.loads, lines):
                language = line.get("language") or detect_language(line["text"])
                if count_words(line["text"], language) <= LONGEST:
                    yield Text(line.get("kind", name), language, line["text"].strip())


def reason(text: Text, written: str, damage: str = "") -> str | None:
    """Why the filter drops it, with the language where that is the damage."""
    if damage == "another language":
        return response_drop_reason(
            written, other_language(text), finish_reason=None, preset="default"
        )
    finish_reason = "length" if damage == "cut off by the token limit" else None
    return drop_reason(written, text.language, finish_reason=finish_reason)


def other_language(text: Text) -> str:
    """The language of an instruction that such a text does not answer."""
    return "zh" if text.language == "en" else "en"


def prose(text: Text) -> list[str]:
    """The paragraphs of a text that are prose of some length."""
    return [part for part in BREAK.split(text.text) if is_prose(part)]


def is_prose(paragraph: str) -> bool:
    return (
        len(paragraph) > (60 if re.search("[一-鿿぀-ヿ]", paragraph) else 150)
        and not NO_PROSE.search(paragraph)
        and 40 * len(SYMBOL.findall(paragraph)) < len(paragraph)
        and len(SENTENCE_END.split(paragraph)) > 1
    )


def cut(text: Text, draw: random.Random) -> str | None:
    """Up to the middle of a sentence in the later part of the text."""
    for _ in range(20):
        place = draw.randrange(len(text.text) // 3, len(text.text) - 1)
        begin = text.text.rfind("\n\n", 0, place) + 1
        end = text.text.find("\n\n", place)
        whole = text.text[begin : end if end > 0 else None]
        kept = text.text[:place].rstrip()
        if is_prose(whole) and kept[-1:].isalnum() and place - begin > 10:
            return kept
    return None


def copied_paragraphs(text: Text, draw: random.Random) -> str | None:
    """Two paragraphs come back later on."""
    parts, choice = BREAK.split(text.text), prose(text)
    if len(choice) < 4 or "```" in text.text:
        return None
    return "\n\n".join([*parts, *draw.sample(choice, 2), parts[-1]])


def copied_sentences(text: Text, draw: random.Random) -> str | None:
    """A fifth of the sentences comes back somewhere else."""
    parts = BREAK.split(text.text)
    places = [place for place, part in enumerate(parts) if is_prose(part)]
    sentences = [s for place in places for s in SENTENCE_END.split(parts[place]) if len(s) > 40]
    if len(sentences) < 10 or "```" in text.text:
        return None
    for sentence in draw.sample(sentences, len(sentences) // 5):
        place = draw.choice(places)
        parts[place] += f" {sentence}"
    return "\n\n".join(parts)


def loop(text: Text, draw: random.Random) -> str | None:
    """The text goes round in circles from somewhere on."""
    place = text.text.find(" ", draw.randrange(len(text.text) // 3, len(text.text)))
    words = text.text[:place].split()
    if place < 0 or len(words) < 40 or text.language in ("zh", "ja"):
        piece = text.text[place : place + draw.randrange(6, 40)]
        return text.text[:place] + piece * (200 // max(1, len(piece)) + 3)
    piece = " ".join(words[-draw.randrange(1, 40) :])
    return f"{text.text[:place]} " + " ".join([piece] * (60 // len(piece.split()) + 3))


def handed_over(text: Text, draw: random.Random) -> str:
    return f"{draw.choice(HANDED_OVER)}\n\n{text.text}"


def explained(text: Text, draw: random.Random) -> str:
    return f"{text.text}\n\n{draw.choice(EXPLAINED)}"


DAMAGES: dict[str, Damage] = {
    "cut in mid-sentence": cut,
    "cut off by the token limit": cut,
    "looping": loop,
    "two paragraphs copied": copied_paragraphs,
    "a fifth of the sentences copied": copied_sentences,
    "talk about the rewriting before it": handed_over,
    "talk about the rewriting after it": explained,
    "another language": lambda text, _: text.text,
}


def share(outcomes: list[bool]) -> str:
    """As a percentage."""
    return f"{100 * sum(outcomes) / len(outcomes):.1f} %" if outcomes else ""


if __name__ == "__main__":
    main()
