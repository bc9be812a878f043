"""The synthetic world: requests, short answers to them, and one step of extension.

What belongs here: how a text of the world is built and extended. How texts become
training examples is in :mod:`miniature.curriculum`; the words are in
:mod:`miniature.lexicon`.

A :class:`Document` answers a request. Its first paragraph starts with an opening sentence, each
paragraph is about one entity (its topic, named in full by the first sentence), most sentences name
one new entity, and a closing sentence ends the text. :func:`extend` is local: it puts new
paragraphs between those that are there, so the extension of an extension is again a text of the
world, at any length. The first sentence of a new paragraph names the topic of the paragraph
that it follows ("The sleepy lynx, never far from Ottery Mill, ..."): the text hangs together, and
whoever copies a long text and adds to it knows where the copying goes on.

    python -m miniature.world --seeds seeds/demo.jsonl \\
        --heldout sl_dagster/demo/heldout.jsonl --longen sl_dagster/demo/longen.jsonl \\
        --longbench sl_dagster/demo/longbench_write.jsonl \\
        --documents sl_dagster/demo/documents.jsonl
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from miniature import lexicon

KINDS = {"P": "person", "L": "place", "O": "object", "A": "animal", "E": "event"}
_MARK = re.compile(r"\{([PLOAE])\}")


@dataclass(frozen=True)
class Entity:
    """Someone or something with a name, such as "Mara Quill" or "the copper lantern"."""

    kind: str
    name: str

    @property
    def pronoun(self) -> str:
        """The subject pronoun, in lower case."""
        if self.kind != "person":
            return "it"
        return "she" if self.name.split()[0] in lexicon.WOMEN else "he"

    @property
    def short_name(self) -> str:
        """The name within a paragraph about the entity: "Mara", "the lantern"."""
        words = self.name.split()
        return words[0] if self.kind == "person" else f"the {words[-1].lower()}"


@dataclass(frozen=True)
class Sentence:
    """A sentence, the pattern it was made from, and the entities it newly names."""

    text: str
    pattern: str
    mentions: tuple[Entity, ...] = ()


@dataclass(frozen=True)
class Paragraph:
    """Sentences about one topic; the opening, if any, comes first and is not about it."""

    topic: Entity
    body: tuple[Sentence, ...]
    opening: str | None = None

    @property
    def text(self) -> str:
        sentences = [sentence.text for sentence in self.body]
        return " ".join([self.opening, *sentences] if self.opening else sentences)


@dataclass(frozen=True)
class Request:
    """An instruction, the entities it asks about, and its genre (None: it asks for a few words)."""

    instruction: str
    asked: tuple[Entity, ...]
    genre: str | None


@dataclass(frozen=True)
class Document:
    """A text that answers a request; a truncated one has no closing sentence."""

    request: Request
    paragraphs: tuple[Paragraph, ...]
    closing: str | None

    @property
    def text(self) -> str:
        texts = [paragraph.text for paragraph in self.paragraphs]
        return "\n\n".join([*texts, self.closing] if self.closing else texts)

    @property
    def words(self) -> int:
        """Length in words."""
        return len(self.text.split())

    def entities(self) -> Iterator[Entity]:
        """All entities named in the request or in the text."""
        yield from self.request.asked
        for paragraph in self.paragraphs:
            for sentence in paragraph.body:
                yield from sentence.mentions


class Writer:
    """Writes new sentences for one document, with names and patterns that it has not used yet.

    A careless one writes as a small model does: patterns return, and names are much alike.
    """

    def __init__(
        self, rng: random.Random, document: Document | None = None, careless: bool = False
    ):
        self.rng, self.careless = rng, careless
        self.words: set[str] = set()
        self.names: set[str] = set()
        self.patterns: set[str] = set()
        if document is not None:
            for entity in document.entities():
                self._remember(entity)
            for paragraph in document.paragraphs:
                self.patterns.update(sentence.pattern for sentence in paragraph.body)

    def entity(self, kind: str | None = None) -> Entity:
        """A new entity, if possible without a word of earlier names, so that copying is easy."""
        kind = kind or self.rng.choice(list(KINDS.values()))
        candidate = _random_entity(self.rng, kind)
        for _ in range(20):
            if self.careless or self.words.isdisjoint(_name_words(candidate)):
                break
            candidate = _random_entity(self.rng, kind)
        while candidate.name in self.names:
            candidate = _random_entity(self.rng, kind)
        self._remember(candidate)
        return candidate

    def sentence(self, topic: Entity, first: bool, after: Entity | None = None) -> Sentence:
        """A sentence about the topic; a paragraph's first one starts with its full name.

        With ``after`` it also names that topic: the one of the paragraph before.
        """
        rng = self.rng
        predicates, heads, tails = self._manner(topic, first)
        pattern = self._unused(predicates)
        mentions: list[Entity] = []
        subject, head, tail = topic.name, "", ""
        frame = rng.random()
        if first:
            if after:
                subject += f", {self._unused(lexicon.LINKS).format(e=after.name)},"
            elif rng.random() < 0.25:
                subject += f", {rng.choice(lexicon.APPOSITIONS[topic.kind])},"
        else:
            subject = topic.pronoun if rng.random() < 0.6 else topic.short_name
            if frame < 0.13:
                head = self._fill(self._unused(lexicon.SOURCES), mentions)
            elif frame < 0.4 and heads:
                head = rng.choice(heads) + ","
        if frame >= 0.4 and tails and rng.random() < 0.5:
            tail = rng.choice(tails)
        parts = [head, subject, self._fill(pattern, mentions), tail]
        text = " ".join(part for part in parts if part) + "."
        return Sentence(text[0].upper() + text[1:], pattern, tuple(mentions))

    def _manner(
        self, topic: Entity, first: bool
    ) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Predicates for the topic, and the adverbials that may stand before or after them."""
        kind, u = topic.kind, self.rng.random()
        if u < 0.14 and not first:
            return lexicon.DETAILS[kind], (), ()
        if u < 0.6:
            tails = lexicon.ACT_TAILS
            if kind == "person":
                tails += lexicon.MANNER_TAILS
            return lexicon.ACTS[kind], lexicon.ACT_HEADS, tails
        return lexicon.STATES[kind], lexicon.STATE_HEADS, lexicon.STATE_TAILS

    def paragraph(
        self,
        topic: Entity,
        sentences: int,
        opening: str | None = None,
        after: Entity | None = None,
    ) -> Paragraph:
        """A new paragraph about the topic."""
        body = [self.sentence(topic, first=True, after=after)]
        body += [self.sentence(topic, first=False) for _ in range(sentences - 1)]
        return Paragraph(topic, tuple(body), opening)

    def _fill(self, pattern: str, mentions: list[Entity]) -> str:
        def new_name(mark: re.Match[str]) -> str:
            mentions.append(self.entity(KINDS[mark.group(1)]))
            return mentions[-1].name

        return _MARK.sub(new_name, pattern)

    def _unused(self, patterns: tuple[str, ...]) -> str:
        again = self.careless and self.rng.random() < 0.5
        suitable = [pattern for pattern in patterns if (pattern in self.patterns) == again]
        pattern = self.rng.choice(suitable or patterns)
        self.patterns.add(pattern)
        return pattern

    def _remember(self, entity: Entity) -> None:
        self.names.add(entity.name)
        self.words.update(_name_words(entity))


def request(rng: random.Random) -> Request:
    """A request for a text about one to three entities."""
    genre = rng.choice(list(lexicon.REQUESTS))
    asked = _distinct_entities(rng, rng.choices([1, 2, 3], [0.6, 0.3, 0.1])[0])
    instruction = rng.choice(lexicon.REQUESTS[genre]).format(e=_listed(asked))
    return Request(instruction, asked, genre)


def short_request(rng: random.Random) -> tuple[Request, str]:
    """A request that a long text does not suit, and a short answer to it."""
    asked = _distinct_entities(rng, 1)
    pattern, answers = rng.choice(lexicon.SHORT_REQUESTS)
    answer = rng.choice(answers).format(e=asked[0].name)
    return Request(pattern.format(e=asked[0].name), asked, None), answer


def with_length(rng: random.Random, instruction: str, length: str) -> str:
    """The instruction with a length in it, such as "about 300 words", or after it."""
    if rng.random() < 0.3:
        return f"{instruction} {rng.choice(lexicon.LENGTH_SENTENCES).format(length=length)}"
    return f"{instruction[:-1]} in {length}{instruction[-1]}"


def short_text(rng: random.Random, asked_for: Request, max_words: int) -> Document:
    """A text of at most ``max_words`` words that answers the request."""
    assert asked_for.genre is not None
    while True:
        writer = Writer(rng, Document(asked_for, (), None))
        opening = rng.choice(lexicon.OPENINGS[asked_for.genre]).format(e=_listed(asked_for.asked))
        paragraphs = [
            writer.paragraph(topic, rng.choice([1, 2, 2, 3]), opening if k == 0 else None)
            for k, topic in enumerate(asked_for.asked)
        ]
        closing = rng.choice(lexicon.CLOSINGS[asked_for.genre]).format(e=asked_for.asked[0].name)
        document = Document(asked_for, tuple(paragraphs), closing)
        if rng.random() < 0.5:
            document = extend(rng, document)
        if document.words <= max_words:
            return document


def planned_text(rng: random.Random, asked_for: Request, most_topics: int) -> Document:
    """A text about what was asked for and about further topics, one paragraph each."""
    assert asked_for.genre is not None
    writer = Writer(rng, Document(asked_for, (), None))
    further = rng.randint(1, most_topics - len(asked_for.asked))
    topics = [*asked_for.asked, *(writer.entity() for _ in range(further))]
    opening = rng.choice(lexicon.OPENINGS[asked_for.genre]).format(e=_listed(asked_for.asked))
    paragraphs = [
        writer.paragraph(topic, rng.choice([2, 3]), opening if k == 0 else None)
        for k, topic in enumerate(topics)
    ]
    closing = rng.choice(lexicon.CLOSINGS[asked_for.genre]).format(e=asked_for.asked[0].name)
    return Document(asked_for, tuple(paragraphs), closing)


def extend(
    rng: random.Random, document: Document, insert: float = 0.5, careless: bool = False
) -> Document:
    """A longer text that keeps every paragraph of the document, in order.

    Each paragraph is followed with probability ``insert`` by a new one, whose topic the text has
    not named before and whose first sentence names the topic before it. Paragraphs are treated
    alike, so the growth does not depend on the length. What is added carelessly repeats itself, and
    its paragraphs may name any earlier name.
    """
    places = range(len(document.paragraphs))
    chosen = {k for k in places if rng.random() < insert} or {rng.choice(places)}
    writer = Writer(rng, document, careless)
    named = list(document.entities())
    extended: list[Paragraph] = []
    for k, paragraph in enumerate(document.paragraphs):
        extended.append(paragraph)
        if k in chosen:
            sentences, topic = rng.choice([2, 3, 3]), writer.entity()
            astray = careless and rng.random() < 0.35
            after = rng.choice(named) if astray else paragraph.topic
            extended.append(writer.paragraph(topic, sentences, after=after))
    return replace(document, paragraphs=tuple(extended))


def beginning(document: Document, paragraphs: int) -> Document:
    """The first paragraphs of a document, without a closing."""
    return replace(document, paragraphs=document.paragraphs[:paragraphs], closing=None)


def write_seeds(path: Path, count: int = 24) -> None:
    """Write the seed instructions of the demo, one JSON object per line."""
    rows = [
        {"instruction": r.instruction, "language": "en"} for r in _requests(seed=11, count=count)
    ]
    _write_jsonl(path, rows)


def write_heldout(path: Path, count: int = 64) -> None:
    """Write the held-out instructions with the entities that an answer must mention."""
    rows = [
        {"instruction": r.instruction, "language": "en", "mentions": [e.name for e in r.asked]}
        for r in _requests(seed=12, count=count)
    ]
    _write_jsonl(path, rows)


def write_longen(path: Path, per_cell: int = 2) -> None:
    """Write queries like LonGen's, for each range of lengths and type of constraint.

    They name LonGen's lengths, with the constraint word for word, so that an experiment can scale
    them to what the miniature model writes.
    """
    rng = random.Random(13)
    cells = [(start, type) for start in (2, 4, 6) for type in _CONSTRAINTS for _ in range(per_cell)]
    rows = []
    for (start, type), asked_for in zip(cells, _requests(seed=14, count=len(cells)), strict=True):
        low, high = sorted(rng.sample(range(start * 1000, start * 1000 + 2001, 500), 2))
        constraint = _CONSTRAINTS[type].format(low=low, high=high)
        rows.append(
            {
                "language": "en",
                "range": f"{start}-{start + 2}k",
                "type": type,
                "constraint": constraint,
                "query": f"{asked_for.instruction} Length: {constraint}.",
            }
        )
    _write_jsonl(path, rows)


def write_longbench(path: Path, count: int = 12) -> None:
    """Write queries like LongBench-Write's, with its lengths, for an experiment to scale."""
    rng = random.Random(17)
    rows = []
    for number, asked_for in enumerate(_requests(seed=18, count=count)):
        length = (1000, 2000, 4000, 6000)[number % 4]
        prompt = with_length(rng, asked_for.instruction, f"{length} words")
        rows.append({"prompt": prompt, "type": asked_for.genre, "length": length})
    _write_jsonl(path, rows)


def write_documents(path: Path, count: int = 40) -> None:
    """Write texts of 100 words and more, up to about 450, without the instructions they answer.

    They stand for documents that a user brings along.
    """
    rng = random.Random(15)
    rows = []
    for asked_for in _requests(seed=16, count=count):
        document, wanted = short_text(rng, asked_for, max_words=100), rng.randint(100, 300)
        while document.words < wanted:
            document = extend(rng, document)
        rows.append({"text": document.text, "language": "en"})
    _write_jsonl(path, rows)


_CONSTRAINTS = {
    "about": "about {high} words",
    "range": "{low}-{high} words",
    "below": "less than {high} words",
    "above": "more than {low} words",
}


def _requests(seed: int, count: int) -> list[Request]:
    rng = random.Random(seed)
    found: dict[str, Request] = {}
    while len(found) < count:
        new = request(rng)
        found.setdefault(new.instruction, new)
    return list(found.values())


def _write_jsonl(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _random_entity(rng: random.Random, kind: str) -> Entity:
    first_words, last_words = {
        "person": (lexicon.WOMEN + lexicon.MEN, lexicon.SURNAMES),
        "place": (lexicon.PLACE_NAMES, lexicon.PLACE_KINDS),
        "object": (lexicon.OBJECT_QUALITIES, lexicon.OBJECT_KINDS),
        "animal": (lexicon.ANIMAL_QUALITIES, lexicon.ANIMAL_KINDS),
        "event": (lexicon.EVENT_QUALITIES, lexicon.EVENT_KINDS),
    }[kind]
    name = f"{rng.choice(first_words)} {rng.choice(last_words)}"
    return Entity(kind, name if kind in ("person", "place") else f"the {name}")


def _distinct_entities(rng: random.Random, count: int) -> tuple[Entity, ...]:
    writer = Writer(rng)
    return tuple(writer.entity() for _ in range(count))


def _name_words(entity: Entity) -> set[str]:
    return {word for word in entity.name.split() if word != "the"}


def _listed(entities: tuple[Entity, ...]) -> str:
    names = [entity.name for entity in entities]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def main() -> None:
    """Write the seed and held-out instructions, the benchmarks' queries, and documents."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seeds", type=Path, required=True)
    parser.add_argument("--heldout", type=Path, required=True)
    parser.add_argument("--longen", type=Path, required=True)
    parser.add_argument("--longbench", type=Path, required=True)
    parser.add_argument("--documents", type=Path, required=True)
    args = parser.parse_args()
    write_seeds(args.seeds)
    write_heldout(args.heldout)
    write_longen(args.longen)
    write_longbench(args.longbench)
    write_documents(args.documents)


if __name__ == "__main__":
    main()
