"""The synthetic world: what a text looks like, and that extension can go on for ever."""

import json
import random
from itertools import pairwise
from pathlib import Path

import pytest

from miniature import lexicon, world
from sl_dagster.method.filters import drop_reason, has_repeated_ngram


def documents(count: int, seed: int = 0) -> list[world.Document]:
    rng = random.Random(seed)
    return [world.short_text(rng, world.request(rng), 100) for _ in range(count)]


def long_documents(count: int, words: int, seed: int = 1) -> list[world.Document]:
    rng = random.Random(seed)
    grown = []
    for document in documents(count, seed):
        while document.words < words:
            document = world.extend(rng, document)
        grown.append(document)
    return grown


def test_short_texts_are_short_and_mention_what_was_asked():
    texts = documents(2000)
    words = [document.words for document in texts]
    assert max(words) <= 100
    assert 45 < sum(words) / len(words) < 62
    for document in texts:
        for entity in document.request.asked:
            assert entity.name.lower() in document.text.lower()
            assert entity.name in document.request.instruction


def test_texts_pass_the_filter_of_the_method():
    for document in documents(500):
        assert drop_reason(document.text, "en") is None


def test_a_paragraph_starts_with_its_topic_and_topics_are_unique():
    for document in long_documents(50, 300):
        topics = [paragraph.topic for paragraph in document.paragraphs]
        assert len(set(topics)) == len(topics)
        for paragraph in document.paragraphs:
            assert paragraph.body[0].text.lower().startswith(paragraph.topic.name.lower())


def test_every_entity_is_introduced_once():
    for document in long_documents(50, 300):
        introduced = [e.name for p in document.paragraphs for s in p.body for e in s.mentions]
        assert len(set(introduced)) == len(introduced)


@pytest.mark.parametrize("words", [30, 120, 400])
def test_extension_keeps_every_sentence_in_order_and_grows_alike_at_every_length(words):
    rng = random.Random(2)
    ratios = []
    for document in long_documents(60, words):
        extended = world.extend(rng, document)
        end = 0
        for paragraph in document.paragraphs:
            for sentence in paragraph.text.split(". "):
                end = extended.text.index(sentence, end) + len(sentence)
        assert extended.closing == document.closing
        assert drop_reason(extended.text, "en") is None
        ratios.append(extended.words / document.words)
    assert 1.25 < sum(ratios) / len(ratios) < 1.7


def test_a_new_paragraph_names_the_topic_of_the_one_before_and_has_a_new_one():
    rng = random.Random(3)
    for document in long_documents(60, 100):
        named = {entity.name for entity in document.entities()}
        old = {paragraph.topic for paragraph in document.paragraphs}
        paragraphs = world.extend(rng, document).paragraphs
        assert len(paragraphs) > len(old)
        for before, paragraph in pairwise(paragraphs):
            if paragraph.topic not in old:
                assert before.topic.name in paragraph.body[0].text
                assert paragraph.topic.name not in named


def test_what_is_added_carelessly_repeats_patterns_and_names_paragraphs_further_up():
    rng = random.Random(4)
    repeated, astray = 0, 0
    for document in long_documents(60, 60):
        old = {paragraph.topic for paragraph in document.paragraphs}
        paragraphs = world.extend(rng, document, careless=True).paragraphs
        patterns = [sentence.pattern for paragraph in paragraphs for sentence in paragraph.body]
        repeated += len(patterns) - len(set(patterns))
        astray += sum(
            paragraph.topic not in old and before.topic.name not in paragraph.body[0].text
            for before, paragraph in pairwise(paragraphs)
        )
        kept = tuple(paragraph for paragraph in paragraphs if paragraph.topic in old)
        assert kept == document.paragraphs
    assert repeated > 60 and astray > 20


def test_a_planned_text_has_a_paragraph_for_each_of_its_topics():
    rng = random.Random(5)
    for _ in range(100):
        request = world.request(rng)
        document = world.planned_text(rng, request, most_topics=8)
        topics = [paragraph.topic for paragraph in document.paragraphs]
        assert tuple(topics[: len(request.asked)]) == request.asked
        assert len(request.asked) < len(topics) <= 8 and len(set(topics)) == len(topics)
        assert drop_reason(document.text, "en") is None


def test_even_long_texts_repeat_no_ten_words():
    repeated = [has_repeated_ngram(d.text, "en") for d in long_documents(100, 500)]
    assert sum(repeated) <= 2


def test_a_beginning_has_no_closing():
    document = long_documents(1, 200)[0]
    beginning = world.beginning(document, 2)
    assert beginning.closing is None
    assert document.text.startswith(beginning.text)


def test_no_pattern_has_ten_words_without_an_entity():
    patterns = [
        p
        for kinds in (lexicon.ACTS, lexicon.STATES, lexicon.DETAILS)
        for group in kinds.values()
        for p in group
    ]
    for pattern in patterns:
        runs = world._MARK.sub("|", pattern).split("|")
        assert max(len(run.split()) for run in runs) <= 7, pattern


def test_no_word_of_the_world_is_dropped_by_the_filter():
    text = json.dumps([value for name, value in vars(lexicon).items() if name.isupper()])
    for word in ("revised", "revision", "response", "version", "paragraph", "---"):
        assert word not in text


def test_the_same_seed_writes_the_same_files_and_held_out_requests_are_new(tmp_path):
    world.write_seeds(tmp_path / "seeds.jsonl")
    world.write_heldout(tmp_path / "heldout.jsonl")
    world.write_longen(tmp_path / "longen.jsonl")
    world.write_longbench(tmp_path / "longbench_write.jsonl")
    world.write_documents(tmp_path / "documents.jsonl")
    rows = {}
    for name, shipped in (
        ("seeds", "seeds/demo.jsonl"),
        ("heldout", "sl_dagster/demo/heldout.jsonl"),
        ("longen", "sl_dagster/demo/longen.jsonl"),
        ("longbench_write", "sl_dagster/demo/longbench_write.jsonl"),
        ("documents", "sl_dagster/demo/documents.jsonl"),
    ):
        written = (tmp_path / f"{name}.jsonl").read_text()
        assert written == Path(shipped).read_text()
        rows[name] = [json.loads(line) for line in written.splitlines()]
    seeds = {row["instruction"] for row in rows["seeds"]}
    heldout = {row["instruction"] for row in rows["heldout"]}
    assert len(seeds) == 24 and len(heldout) == 64 and not seeds & heldout
    queries = [row["query"] for row in rows["longen"]]
    assert len(queries) == 24
    assert not any(query.startswith(other) for query in queries for other in seeds | heldout)
    assert all(f"{row['length']} words" in row["prompt"] for row in rows["longbench_write"])
    documents = {row["text"] for row in rows["documents"]}
    assert len(documents) == 40
    assert min(len(text.split()) for text in documents) >= 100
    assert all(drop_reason(text, "en") is None for text in documents)
    assert all(row["constraint"] in row["query"] for row in rows["longen"])
    assert all(m in row["instruction"] for row in rows["heldout"] for m in row["mentions"])
