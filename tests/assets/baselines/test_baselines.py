"""The baselines, from stored instructions or documents to training sets, with a scripted engine."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sl_dagster.assets.checks import experiment_checks
from sl_dagster.lineage.trace import trace_record
from sl_dagster.resources.engines import Completion, Request
from tests.assets.scripted import ScriptedProject

PROMPTS = {
    "plan": "plan|{instruction}",
    "section": "section|{instruction}|{plan}|{text}|{section}",
    "back_translate": "back|{text}",
}
PLAN = "1. the bridge (40 words)\n2. the storm (60 words)\n3. the end (20 words)"


@pytest.fixture
def baseline(write_experiment, tmp_path: Path, monkeypatch) -> Callable[..., ScriptedProject]:
    def made(documents: str = "", **settings: Any) -> ScriptedProject:
        folder = write_experiment().parent
        (folder / "en.yaml").write_text(json.dumps(PROMPTS))
        if documents:
            (folder / "documents.jsonl").write_text(documents, encoding="utf-8")
            settings["documents"] = "documents.jsonl"
        path = write_experiment(**{"prompts": {"en": "en.yaml"}, **settings})
        return ScriptedProject(path, tmp_path / "data", monkeypatch)

    return made


@pytest.fixture
def planned(baseline) -> ScriptedProject:
    made = baseline(method="plan_then_write", length_selection=False)
    texts = ("Write about a bridge.", "Write about a harbour.")
    rows = [made.record("instructions", 1, k, text=text) for k, text in enumerate(texts)]
    made.store("instructions", 1, rows)
    return made


def obedient(request: Request) -> str:
    """Plans and writes as it should; each section says what it is about."""
    task, instruction, *rest = request.message["content"].split("|")
    if task == "plan":
        return f"A plan:\n\n{PLAN}"
    return f"{instruction[:-1]} with {rest[-1]}."


def test_a_text_is_planned_and_written_section_by_section(planned: ScriptedProject) -> None:
    made = planned.make(
        "plans",
        "planned_responses",
        "extended_responses",
        "generator_sft",
        answer=obedient,
        iteration=1,
    )
    assert made["plans"]["mean_sections"] == 3
    assert made["plans"]["mean_planned_words"] == 120
    sections = ["the bridge (40 words)", "the storm (60 words)", "the end (20 words)"]
    for text, instruction in zip(
        planned.records("extended_responses", 1),
        ("Write about a bridge", "Write about a harbour"),
        strict=True,
    ):
        written = [f"{instruction} with {section}." for section in sections]
        assert text.text == "\n\n".join(written)
        assert text.instruction == f"{instruction}."
        assert text.initial_response is None
        asked = [
            request.message["content"].split("|")
            for request in planned.engine.requests
            if request.message["content"].startswith(f"section|{instruction}.")
        ]
        assert [parts[3] for parts in asked] == ["\n\n".join(written[:k]) for k in range(3)]
        assert all(parts[2] == f"A plan:\n\n{PLAN}" for parts in asked)
    [response, _] = planned.records("planned_responses", 1)
    assert response.tokens == len(str(response.text).split())
    [example, _] = planned.records("generator_sft", 1)
    assert example.completion and example.completion[0]["content"] == response.text
    traced = trace_record(example.record_id, planned.data)
    chain = []
    while traced.get("parents"):
        chain.append(traced["stage"])
        [traced] = traced["parents"]
    assert chain == ["generator_sft", "extended_responses", "planned_responses", "plans"]


def test_remarks_on_sections_are_cut_off(planned: ScriptedProject) -> None:
    before, after = "Here is the final section:", "Word count: 40"

    def chatty(request: Request) -> str:
        written = obedient(request)
        if request.message["content"].startswith("plan|"):
            return written
        return f"{before}\n\n{written}\n\n{after}"

    planned.make("plans", "planned_responses", answer=chatty, iteration=1)
    records = planned.records("planned_responses", 1)
    assert len(records) == 2
    for record in records:
        assert record.text.count("\n\n") == 2
        assert before not in record.text
        assert record.commentary == {
            "before": "\n\n".join([before] * 3),
            "after": "\n\n".join([after] * 3),
        }


def test_a_plan_that_is_none_is_asked_for_again_and_then_dropped(planned: ScriptedProject) -> None:
    def answer(request: Request) -> str:
        plans = request.message["content"].startswith("plan|")
        return "I would rather not." if plans and "harbour" in str(request) else obedient(request)

    made = planned.make("plans", "planned_responses", answer=answer, iteration=1)["plans"]
    assert (made["kept"], made["dropped_no_outline"], made["retried_no_outline"]) == (1, 1, 3)
    assert {one.text for one in planned.rejected("plans", 1)} == {"I would rather not."}
    assert len(planned.records("planned_responses", 1)) == 1


def test_a_text_is_given_up_at_its_first_hopeless_section(planned: ScriptedProject) -> None:
    def answer(request: Request) -> str | Completion:
        content = request.message["content"]
        if content.endswith("|the storm (60 words)"):
            hopeless = "bridge" in content.split("|")[1]
            return Completion("The storm was", 3, 9, "length") if hopeless else ""
        return obedient(request)

    made = planned.make("plans", "planned_responses", answer=answer, iteration=1)[
        "planned_responses"
    ]
    assert (made["dropped_truncated"], made["retried_truncated"]) == (1, 3)
    assert (made["dropped_empty_section"], made["retried_empty_section"]) == (1, 3)
    assert made["truncated_generations"] == 4
    asked = [request.message["content"] for request in planned.engine.requests]
    assert not [content for content in asked if content.endswith("|the end (20 words)")]
    lost = [
        one for one in planned.rejected("planned_responses", 1) if one.drop_reason == "truncated"
    ]
    first = "Write about a bridge with the bridge (40 words)."
    assert {one.text for one in lost} == {f"{first}\n\nThe storm was"}


def test_what_repeats_itself_over_its_sections_is_dropped(planned: ScriptedProject) -> None:
    said = "Over the wide river stood the old bridge for many long years."

    def answer(request: Request) -> str:
        return said if request.message["content"].startswith("section") else obedient(request)

    made = planned.make("plans", "planned_responses", answer=answer, iteration=1)[
        "planned_responses"
    ]
    assert (made["kept"], made["dropped_repetition"]) == (0, 2)
    writing = [r for r in planned.engine.requests if r.message["content"].startswith("section")]
    assert len(writing) == 2 * 4 * 2, "two texts, four tries, given up after two sections"


DOCUMENTS = [
    "The old bridge stood over the river for many years.",
    "Nobody in the harbour knew where the grey ship came from.",
    "这座老桥在河上站了很多年。",
    "The old bridge stood over the river for many years.",
    "A long winter lay upon the town and its people.",
]


@pytest.fixture
def translated(baseline) -> Callable[..., ScriptedProject]:
    def made(**settings: Any) -> ScriptedProject:
        rows = [json.dumps({"text": text, "title": "?"}) for text in DOCUMENTS]
        settings.setdefault("length_selection", False)
        return baseline("\n".join(rows), method="back_translation", seeds=..., **settings)

    return made


def telling(request: Request) -> str:
    """An instruction for a document."""
    text = request.message["content"].partition("|")[2]
    return f"Write what begins with {' '.join(text.split()[:4])}."


def test_documents_become_answers_to_their_instructions(translated) -> None:
    project: ScriptedProject = translated(instructions={"max_similarity": 1})
    made = project.make(
        "documents",
        "instructions",
        "extended_responses",
        "generator_sft",
        answer=telling,
        iteration=1,
    )
    assert made["documents"]["dropped_wrong_language"] == 1
    assert made["documents"]["dropped_duplicate"] == 1
    kept = [DOCUMENTS[0], DOCUMENTS[1], DOCUMENTS[4]]
    responses = project.records("extended_responses", 1)
    assert [one.text for one in responses] == kept
    assert responses[0].instruction == "Write what begins with The old bridge stood."
    assert responses[0].adapter is None, "no model has written it"
    [example, *_] = project.records("generator_sft", 1)
    assert example.completion and example.completion[0]["content"] == DOCUMENTS[0]
    traced = trace_record(example.record_id, project.data)
    for stage in ("generator_sft", "extended_responses", "instructions"):
        assert traced["stage"] == stage
        [traced] = traced["parents"]
    assert (traced["stage"], traced["text"]) == ("documents", DOCUMENTS[0])
    project.make("dataset", "length_controlled", "aligned_sft", answer=telling)
    pairs = {(pair.query, pair.response) for pair in project.records("dataset")}
    assert pairs == {(one.instruction, one.text) for one in responses}
    assert len(project.records("aligned_sft")) == 3


def test_instructions_of_documents_are_judged_like_others(translated, tmp_path: Path) -> None:
    heldout = tmp_path / "experiments" / "heldout.jsonl"
    heldout.parent.mkdir(exist_ok=True)
    instruction = "Write what begins with Nobody in the harbour."
    heldout.write_text(json.dumps({"instruction": instruction, "language": "en"}))
    project: ScriptedProject = translated(
        instructions={"max_similarity": 1, "tries": 2}, heldout={"file": "heldout.jsonl"}
    )

    def answer(request: Request) -> str | Completion:
        if "winter" in request.message["content"]:
            return Completion("", 0, 99, "length")
        return telling(request)

    made = project.make("documents", "instructions", answer=answer, iteration=1)["instructions"]
    assert made["kept"] == 1
    assert made["dropped_duplicate"] == 1, "a held-out instruction must not be trained on"
    assert made["dropped_long_document"] == made["retried_long_document"] == 1


def test_each_iteration_goes_on_with_the_next_documents(translated) -> None:
    project: ScriptedProject = translated(instructions={"count": 2, "max_similarity": 1})
    used = []
    for iteration in (1, 2):
        names = ("documents", "instructions", "extended_responses")
        made = project.make(*names, answer=telling, iteration=iteration)
        assert made["instructions"]["documents_left_out"] == 1
        used.append([one.text for one in project.records("extended_responses", iteration)])
    assert used == [[DOCUMENTS[0], DOCUMENTS[1]], [DOCUMENTS[0], DOCUMENTS[4]]]


def test_the_longer_documents_are_preferred_if_that_is_wanted(translated) -> None:
    project: ScriptedProject = translated(instructions={"max_similarity": 1}, length_selection=True)
    project.make("documents", "instructions", "extended_responses", answer=telling, iteration=1)
    dropped = project.rejected("extended_responses", 1)
    assert "selection" in {one.drop_reason for one in dropped}
    assert len(dropped) + len(project.records("extended_responses", 1)) == 3


def test_checks_fit_the_method(planned: ScriptedProject, translated) -> None:
    for experiment in (planned.experiment, translated().experiment):
        keys = {key for check in experiment_checks(experiment) for key in check.check_keys}
        names = {(key.asset_key.path[-1], key.name) for key in keys}
        assert not [asset for asset, _ in names if "extender" in asset or "round" in asset]
        assert ("extended_responses", "enough_grown") not in names
        assert (experiment.source_stage, "counts_agree") in names
        for stage in ("instructions", *experiment.writing_stages):
            assert (stage, "nothing_truncated") in names
