"""A language that the project has no prompts in: the worked example of docs/languages.md."""

import json
import random
from itertools import product
from pathlib import Path

import pytest

from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.resources.engines import Request
from sl_dagster.resources.storage.stage_key import StageKey
from tests.assets.scripted import ScriptedProject

PROMPTS = PROJECT_ROOT / "docs" / "examples" / "de.yaml"
PLACES = ("Hafen", "Bahnhof", "Leuchtturm", "Garten", "Markt", "Friedhof", "Speicher", "Bergwerk")


WHO = ("Die Wärterin", "Ein Lehrer", "Meine Großmutter", "Der Hund", "Niemand", "Das Kind")
DID = ("ging", "lief", "schaute", "zog", "schlich", "kam")
WHERE = ("zum Hafen", "in den Garten", "auf den Markt", "an den Fluss", "über die Brücke")
HOW = ("ohne ein Wort", "mit einer Lampe", "vor dem Frühstück", "wie jedes Jahr", "bei Nebel")


def story(number: int, sentences: int) -> str:
    """Sentences of which no two are alike."""
    drawn = random.Random(number).sample(list(product(WHO, DID, WHERE, HOW)), sentences)
    return " ".join(
        f"{' '.join(words)} und fand {number * day + day} vergessene Briefe."
        for day, words in enumerate(drawn, start=1)
    )


def answer(request: Request) -> str:
    asked, number = request.message["content"], request.seed % 100_000
    if request.choices:
        return "ja"
    if "drei Schreibaufgaben" in asked:
        place, other = PLACES[number % 8], PLACES[number // 8 % 8]
        return f"Erzähle vom {place} der {number} Leute, die den {other} nie gesehen haben."
    if "Schreibe den Text neu" in asked:
        return story(number, 9)
    if number % 3 == 0:
        return "The keeper went to the old harbour in the morning and found three letters there."
    return story(number, 4)


@pytest.fixture
def german(write_experiment, tmp_path: Path, monkeypatch) -> ScriptedProject:
    path = write_experiment(
        languages=["de"],
        seeds="de.jsonl",
        prompts={"de": str(PROMPTS)},
        iterations=1,
        instructions={"count": 4, "max_similarity": 1},
        initial_responses={"samples": 2, "tries": 4},
        extension={"rounds": 1, "samples": 1},
        length_selection=False,
    )
    seeds = [f"Schreibe eine Geschichte über einen {place}." for place in PLACES]
    lines = [json.dumps({"instruction": seed, "language": "de"}) for seed in seeds]
    (path.parent / "de.jsonl").write_text("\n".join(lines))
    return ScriptedProject(path, tmp_path / "data", monkeypatch)


def test_an_iteration_in_german(german: ScriptedProject) -> None:
    german.make("seeds", answer=answer)
    stages = ("instructions", *german.experiment.writing_stages, "extended_responses")
    german.make("previous_generator", "previous_extender", *stages, answer=answer, iteration=1)
    extended = list(german.stages.read(StageKey("small", "extended_responses", 1)).records())
    assert {record.language for record in extended} == {"de"}
    assert all("vergessene Briefe" in str(record.written) for record in extended)
    asked = [request.message["content"] for request in german.engine.requests]
    assert any("mehr als 2000 Wörtern" in text for text in asked)
    initial = german.stages.read(StageKey("small", "initial_responses", 1))
    assert initial.manifest["retried"].keys() == {"wrong_language"}
