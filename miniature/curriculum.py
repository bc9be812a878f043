"""What the miniature model is pre-trained on: examples of its tasks, in growing difficulty.

What belongs here: turning documents of the world into prompts and answers, their mixture over the
course of a pre-training, and the two caps that make the demo honest. The model never sees an answer
to an instruction longer than :data:`ANSWER_WORDS`, nor any text longer than :data:`TEXT_WORDS`:
whatever it writes beyond that, it has learned from the loop.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from miniature import lexicon, world
from sl_dagster import demo
from sl_dagster.method.filters import has_repeated_ngram
from sl_dagster.method.length_control import draw_constraint
from sl_dagster.method.paragraphs import PARAGRAPH_BREAK, split_paragraphs
from sl_dagster.method.prompts import Prompts, read_prompts
from sl_dagster.method.training_pairs import drop_lines
from sl_dagster.method.words import count_words

ANSWER_WORDS = 100
"""Longest answer to an instruction in pre-training."""

TEXT_WORDS = 250
"""Longest text of any kind in pre-training: given or extended."""

LENGTHS = (50, 800)
"""Bounds of the lengths that are woven into instructions; those of the demo's experiment."""

END = "the end"
"""The last section of every plan."""

ROUNDINGS = (25, 50)
"""What these lengths are multiples of, as in the demo's experiment."""

PROMPTS_FILE = demo.FOLDER / "prompts.yaml"


@cache
def prompts() -> Prompts:
    """The demo's wording of the method's prompts."""
    return read_prompts("en", PROMPTS_FILE)


@dataclass(frozen=True)
class Example:
    """One exchange. ``begun`` is the part of the assistant's turn that is given.

    An answer that is not ``ended`` was cut where another paragraph would have made it too long.
    """

    task: str
    prompt: str
    answer: str
    begun: str = ""
    ended: bool = True


def extension_example(rng: random.Random, longest: int = TEXT_WORDS) -> Example:
    """A text of at most ``longest`` words, and its extension.

    The given text is a short answer or was made from one by extending it, perhaps several times and
    carelessly; it may also be only a beginning. What is added to it in the answer is faultless.
    """
    while True:
        document = world.short_text(rng, world.request(rng), ANSWER_WORDS)
        wanted, careless = rng.uniform(0, longest), rng.random() < 0.5
        while document.words < wanted:
            document = world.extend(rng, document, careless=careless)
        if rng.random() < 0.35:
            half = len(document.paragraphs) // 2
            document = world.beginning(
                document, rng.choice([half, rng.randint(1, len(document.paragraphs))]) or 1
            )
        extended = world.extend(rng, document)
        if rng.random() < 0.1:
            extended = world.extend(rng, extended)
        if document.words <= longest and not has_repeated_ngram(extended.text, "en"):
            return _extension(rng, document, extended)


def _extension(rng: random.Random, document: world.Document, extended: world.Document) -> Example:
    """The example; of an extension of too many words only the first or the last ones.

    So long texts are given as often as others, and are seen to grow as much.
    """
    given = document.text
    if rng.random() < 0.08:  # the Extender's fine-tuning will show it texts with lines left out
        dropped = drop_lines(given, 0.2, rng.getrandbits(32))
        given = dropped if dropped.strip() else given
    assert count_words(given) <= TEXT_WORDS
    prompt = prompts().extension(document.request.instruction, given)["content"]
    if count_words(extended.text) <= TEXT_WORDS:
        return Example("extend", prompt, extended.text)
    paragraphs = split_paragraphs(extended.text)
    last_ones = rng.random() < 0.5
    while count_words(PARAGRAPH_BREAK.join(paragraphs)) > TEXT_WORDS:
        paragraphs.pop(0 if last_ones else -1)
    if not last_ones:
        return Example("extend", prompt, PARAGRAPH_BREAK.join(paragraphs), ended=False)
    begun, *rest = paragraphs
    return Example("extend", prompt, PARAGRAPH_BREAK.join(rest), begun=begun + PARAGRAPH_BREAK)


def answer_example(rng: random.Random) -> Example:
    """An instruction and its short answer."""
    if rng.random() < 0.08:
        asked_for, answer = world.short_request(rng)
    else:
        asked_for = world.request(rng)
        answer = world.short_text(rng, asked_for, ANSWER_WORDS).text
    assert count_words(answer) <= ANSWER_WORDS
    instruction = asked_for.instruction
    if asked_for.genre and rng.random() < 0.15:  # a length is nothing strange, and changes nothing
        instruction = world.with_length(rng, instruction, _constraint(rng))
    return Example("answer", instruction, answer)


def weaving_example(rng: random.Random) -> Example:
    """An instruction and a length, and the instruction with the length woven into it."""
    instruction, constraint = world.request(rng).instruction, _constraint(rng)
    message = prompts().weaving(instruction, constraint)
    return Example("weave", message["content"], world.with_length(rng, instruction, constraint))


def _constraint(rng: random.Random) -> str:
    """A length as the method words it; the model need not know of what text."""
    shortest, longest = LENGTHS
    drawn = draw_constraint(
        rng.randrange(shortest, longest),
        "en",
        min_words=shortest,
        max_words=longest,
        roundings=ROUNDINGS,
        seed=rng.getrandbits(31),
    )
    return drawn.text


def plan_example(rng: random.Random) -> Example:
    """An instruction and the topics of a long text, the first ones asked for."""
    document = _planned(rng)
    message = prompts().planning(document.request.instruction)
    return Example("plan", message["content"], _plan(document))


def section_example(rng: random.Random) -> Example:
    """A plan, the text so far, and the next section; the last one is the end."""
    document = _planned(rng)
    sections = [*((p.topic.name, p.text) for p in document.paragraphs), (END, document.closing)]
    place = rng.randrange(len(sections))
    topic, text = sections[place]
    assert text
    so_far = "\n\n".join(str(before) for _, before in sections[:place])
    message = prompts().writing(document.request.instruction, _plan(document), so_far, topic)
    return Example("section", message["content"], text)


def _planned(rng: random.Random) -> world.Document:
    while True:
        document = world.planned_text(rng, world.request(rng), most_topics=8)
        if document.words <= TEXT_WORDS:
            return document


def _plan(document: world.Document) -> str:
    topics = [*(paragraph.topic.name for paragraph in document.paragraphs), END]
    return "\n".join(f"{number}. {topic}" for number, topic in enumerate(topics, start=1))


def back_translation_example(rng: random.Random) -> Example:
    """A text, short or long, and the instruction that it answers."""
    document = world.short_text(rng, world.request(rng), ANSWER_WORDS)
    wanted = rng.uniform(0, TEXT_WORDS)
    while document.words < wanted:
        longer = world.extend(rng, document)
        if longer.words > TEXT_WORDS:
            break
        document = longer
    message = prompts().back_translation(document.text)
    return Example("back_translate", message["content"], document.request.instruction)


def self_instruct_example(rng: random.Random) -> Example:
    """Two instructions and a third; the first two suit long texts, the third mostly."""
    first, second = world.request(rng), world.request(rng)
    third = world.request(rng) if rng.random() < 0.8 else world.short_request(rng)[0]
    message, begun = prompts().self_instruction(first.instruction, second.instruction)
    return Example("instruct", message["content"], f" {third.instruction}", begun)


def judge_example(rng: random.Random) -> Example:
    """An instruction and whether a long text suits it."""
    long = rng.random() < 0.5
    asked_for = world.request(rng) if long else world.short_request(rng)[0]
    message = prompts().judgement(asked_for.instruction)
    return Example("judge", message["content"], "yes" if long else "no")


def repeat_example(rng: random.Random, most: int) -> Example:
    """Random names to be repeated: the plainest exercise in copying, which comes first."""
    writer = world.Writer(rng)
    words = " ".join(writer.entity().name for _ in range(rng.randint(2, max(2, most))))
    return Example("repeat", lexicon.REPEAT_REQUEST.format(words=words), words)


def example(rng: random.Random, progress: float) -> Example:
    """An example for a point of the pre-training, ``progress`` in [0, 1)."""
    if progress < 0.06 and rng.random() < 0.5:
        return repeat_example(rng, 4 + int(400 * progress))
    u = rng.random()
    if u < 0.56:
        return extension_example(rng, longest=min(TEXT_WORDS, 60 + int(600 * progress)))
    for share, task in (
        (0.73, answer_example),
        (0.82, self_instruct_example),
        (0.86, judge_example),
        (0.90, weaving_example),
        (0.93, plan_example),
        (0.97, section_example),
    ):
        if u < share:
            return task(rng)
    return back_translation_example(rng)
