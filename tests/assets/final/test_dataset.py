"""The final data set and its lengths, from stored stages and a scripted engine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset

from sl_dagster.method.words import count_words
from sl_dagster.resources.storage.stage_key import StageKey
from tests.assets.scripted import ScriptedProject

ANSWER = "The old bridge stood over the river for many years."


class Finished(ScriptedProject):
    """An experiment with stored iterations, on which the data set is made."""

    def __init__(self, path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(path, data, monkeypatch)
        self.store("seeds", None, [self.record("seeds", 0, k, text=f"Seed {k}.") for k in range(2)])

    def iteration(self, number: int, answers: dict[str, tuple[str, str]]) -> None:
        """Store an iteration of instructions with their initial and extended responses."""
        parents = ("seeds-0-0", "seeds-0-1")
        self.store(
            "instructions",
            number,
            [
                self.record("instructions", number, k, text=instruction, parents=parents)
                for k, instruction in enumerate(answers)
            ],
        )
        for place, stage in enumerate(("initial_responses", "extended_responses")):
            self.store(
                stage,
                number,
                [
                    self.record(stage, number, k, text=texts[place], instruction=instruction)
                    for k, (instruction, texts) in enumerate(answers.items())
                ],
            )

    def woven(
        self, *names: str, weave: Callable[[str, str], str] = lambda query, length: query
    ) -> dict[str, dict[str, Any]]:
        """Materialize assets; a model weaves lengths by a function."""
        return self.make(*names, answer=lambda r: weave(*r.message["content"].split("|")))


@pytest.fixture
def finished(write_experiment, tmp_path: Path, monkeypatch) -> Callable[..., Finished]:
    def made(**settings: Any) -> Finished:
        prompts = tmp_path / "experiments" / "en.yaml"
        prompts.parent.mkdir(exist_ok=True)
        prompts.write_text(
            "{self_instruct: a, self_instruct_turn: '{first}{second}', self_instruct_stop: b, "
            "judge: '{instruction}', judge_answers: ['yes', 'no'], "
            "weave: '{instruction}|{constraint}', extend: '{instruction}{response}'}"
        )
        path = write_experiment(prompts={"en": "en.yaml"}, **settings)
        return Finished(path, tmp_path / "data", monkeypatch)

    return made


def answers(count: int, words: int, start: int = 0) -> dict[str, tuple[str, str]]:
    """Instructions, each with a short response and one of so many words."""
    return {
        f"Write a story about bridge number {k} of the old town.": (
            f"{ANSWER} It was number {k}.",
            f"{k} " + "word " * (words - 1),
        )
        for k in range(start, start + count)
    }


def test_responses_of_all_stored_iterations_with_where_they_come_from(finished) -> None:
    project = finished(dataset={"validation_split": 0.3})
    project.iteration(1, answers(20, 30))
    project.iteration(3, answers(20, 60, start=10))  # ten instructions again, their answers, too
    found = project.woven("dataset")["dataset"]
    pairs = project.records("dataset")
    assert found["iterations"] == [1, 3]
    assert found["dropped_duplicate"] == 10
    assert found["pairs_initial_responses"] == 30
    assert found["pairs_extended_responses"] == 40
    assert found["instructions"] == 30
    assert [pair.drop_reason for pair in project.rejected("dataset")] == ["duplicate"] * 10
    for pair in pairs:
        assert pair.query == pair.instruction
        assert pair.parents == (pair.source_id,)
        [source] = project.stages.read(
            StageKey("small", pair.source_stage, pair.source_iteration)
        ).pick({pair.source_id})
        assert (source.instruction, source.text) == (pair.query, pair.response)
        assert pair.words == count_words(pair.response)
    sides = {side: {p.query for p in pairs if p.split == side} for side in ("train", "validation")}
    assert sides["train"] and sides["validation"]
    assert sides["train"].isdisjoint(sides["validation"])
    path = project.stages.read(StageKey("small", "dataset", None)).path
    rows = load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(path.parent))
    assert {"query", "response", "words", "language", "kind", "source_id"} <= set(rows.column_names)
    assert len(rows) == len(pairs)


def test_without_a_finished_iteration_there_is_none(finished) -> None:
    project = finished()
    with pytest.raises(AssertionError, match="small has no finished iteration yet"):
        project.woven("dataset")
    project.store("initial_responses", 1, [project.record("initial_responses", 1, 0, text="a")])
    with pytest.raises(AssertionError, match="small has no finished iteration yet"):
        project.woven("dataset")


def test_a_kind_comes_from_the_seeds_if_they_agree(finished) -> None:
    project = finished()
    kinds = ("literature", "literature", "personal")
    seeds = [
        project.record("seeds", 0, k, text=f"Seed {k}.", kind=kind) for k, kind in enumerate(kinds)
    ]
    project.store("seeds", None, seeds)
    project.iteration(1, answers(3, 30))
    parents = [("seeds-0-0", "seeds-0-1"), ("seeds-0-1", "seeds-0-2"), ("instructions-1-0",) * 2]
    instructions = [
        project.record("instructions", 1, k, text=text, parents=parents[k])
        for k, text in enumerate(answers(3, 30))
    ]
    project.store("instructions", 1, instructions)
    project.woven("dataset")
    initial = project.records("dataset")[:3]
    assert [pair.kind for pair in initial] == ["literature", None, "literature"]


CONTROL = {"min_words": 50, "max_words": 100, "roundings": [25, 50], "tries": 2}


def test_lengths_are_woven_in_checked_and_asked_for_again(finished) -> None:
    project = finished(length_control=CONTROL)
    project.iteration(1, answers(20, 70) | answers(5, 100, start=30) | answers(5, 49, start=40))
    calls: dict[str, int] = {}

    def weave(query: str, length: str) -> str:
        calls[query] = calls.get(query, 0) + 1
        number = int("".join(c for c in query if c.isdigit()))
        if number == 7 or (number == 8 and calls[query] == 1):
            return "Write something else."
        return f"{query} Use {length}."

    found = project.woven("dataset", "length_controlled", weave=weave)["length_controlled"]
    woven = project.records("length_controlled")
    assert len(woven) == found["kept"] == 19
    assert found["dropped_no_constraint"] == found["retried_no_constraint"] - 1 == 1
    assert found["left_as_they_are"] == 2 * 30 - 20
    assert sum(found[f"pairs_{kind}"] for kind in ("about", "range", "above", "below")) == 19
    for pair in woven:
        assert pair.words == 70
        assert pair.query == f"{pair.instruction} Use {pair.constraint}."
        assert pair.source_stage == "extended_responses"
        assert all(number % 25 == 0 and 50 <= number <= 100 for number in pair.constraint_words)
    rejected = project.rejected("length_controlled")
    assert [pair.query for pair in rejected] == ["Write something else."] * 3
    assert all("bridge number" in str(pair.instruction) for pair in rejected)


def test_a_query_that_names_a_length_keeps_it(finished) -> None:
    project = finished(length_control=CONTROL)
    named = "Write 70 words about the old bridge of the town."
    project.iteration(1, {named: (ANSWER, "word " * 70)})
    found = project.woven("dataset", "length_controlled")["length_controlled"]
    assert found["left_as_they_are"] == 2
    assert not project.engine.requests


def test_the_model_learns_from_woven_and_plain_pairs(finished) -> None:
    project = finished(length_control=CONTROL, dataset={"validation_split": 0.3})
    project.iteration(1, answers(20, 70))
    project.woven(
        "dataset", "length_controlled", "aligned_sft",
        weave=lambda query, length: f"{query} Use {length}." if "7" in query else "No.",
    )  # fmt: skip
    pairs = {pair.record_id: pair for pair in project.records("dataset")}
    woven = {pair.parents[0]: pair for pair in project.records("length_controlled")}
    examples = project.records("aligned_sft")
    assert len(woven) == 2 and len(examples) == len(pairs) == 40
    for example, pair in zip(examples, pairs.values(), strict=True):
        query = woven[pair.record_id].query if pair.record_id in woven else pair.query
        assert example.prompt == ({"role": "user", "content": query},)
        assert example.completion == ({"role": "assistant", "content": pair.response},)
        assert (example.instruction, example.split) == (pair.instruction, pair.split)


def test_a_data_set_too_short_for_any_length_is_learnt_from_as_it_is(finished) -> None:
    project = finished()
    project.iteration(1, answers(3, 70))
    project.woven("dataset", "length_controlled", "aligned_sft")
    assert len(project.records("aligned_sft")) == 6
    assert not project.engine.requests


def test_lengths_of_an_earlier_data_set_are_not_used(finished) -> None:
    project = finished(length_control=CONTROL)
    project.iteration(1, answers(3, 70))
    project.woven("dataset", "length_controlled", weave=lambda query, length: f"{query} {length}")
    project.iteration(1, answers(3, 80))
    project.woven("dataset")
    with pytest.raises(AssertionError, match="length_controlled was made from an earlier small/d"):
        project.woven("aligned_sft")
