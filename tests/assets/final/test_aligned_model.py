"""What comes after the loop, on the miniature model: data set, lengths, aligned model, exports.

Nothing here depends on whether the miniature model weaves lengths well: what it gets wrong is
rejected, and the pair is learnt from as it is.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from peft import PeftModel
from transformers import AutoModelForCausalLM

from sl_dagster.method.length_control import Constraint, weaving_drop_reason
from sl_dagster.resources.records import AlignedExample, Pair
from sl_dagster.resources.storage.adapter_store import AdapterStore
from sl_dagster.resources.storage.stage_key import StageKey
from tests.assets.conftest import Project
from tests.assets.pages import assert_one_sees_what_matters, pages

pytestmark = pytest.mark.integration

KEY = StageKey("small", "aligned_model", None)


@pytest.fixture(scope="module")
def aligned(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the finished project with its data set and its aligned model."""
    project = finished.copy(tmp_path_factory.mktemp("aligned") / "project")
    result = project.run("dataset", "--experiment", "small")
    assert result.returncode == 0, result.stdout + result.stderr
    return project


def test_the_data_set_has_the_pairs_of_both_iterations(aligned: Project) -> None:
    pairs = list(aligned.stage("dataset", None).records(Pair))
    sources = [
        (stage, iteration or 0)
        for stage, iteration in [
            *((name, i) for name in ("initial_responses", "extended_responses") for i in (1, 2)),
            ("more_responses", None),
        ]
        for _ in range(len(aligned.stage(stage, iteration)))
    ]
    duplicates: Iterator[Any] = aligned.stage("dataset", None).rejected()
    found = [(pair.source_stage, pair.source_iteration) for pair in (*pairs, *duplicates)]
    assert sorted(found) == sorted(sources)
    sides = {side: {p.query for p in pairs if p.split == side} for side in ("train", "validation")}
    assert sides["train"].isdisjoint(sides["validation"])


def test_the_last_generator_has_answered_more(aligned: Project) -> None:
    store = AdapterStore(data_dir=str(aligned.data))
    generator = store.read(StageKey("small", "generator_lora", 2))
    writers = {record.adapter for record in aligned.stage("more_responses", None).records()}
    assert writers == {generator.adapter.fingerprint}


def test_lengths_are_kept_if_right_and_rejected_with_a_reason(aligned: Project) -> None:
    stage = aligned.stage("length_controlled", None)
    pairs = aligned.stage("dataset", None).records(Pair)
    eligible = sum(50 <= pair.words < 800 for pair in pairs)
    assert eligible > 0
    assert stage.manifest["records_in"] == eligible
    for pair in [*stage.records(Pair), *stage.rejected()]:
        assert pair.constraint and pair.constraint_type and pair.constraint_words
        constraint = Constraint(pair.constraint_type, pair.constraint_words, pair.constraint)
        reason = weaving_drop_reason(
            str(pair.query), str(pair.instruction), constraint, "en",
            finish_reason=str(pair.finish_reason),
        )  # fmt: skip
        assert (reason, pair.kept) == (pair.drop_reason, reason is None)


def test_the_aligned_model_is_an_adapter_with_a_card_of_facts(aligned: Project) -> None:
    stored = AdapterStore(data_dir=str(aligned.data)).read(KEY)
    adapter = stored.adapter.verified()
    assert (adapter.role, adapter.iteration, adapter.is_whole_model) == ("aligned", 0, False)
    card = (Path(str(adapter.path)) / "README.md").read_text()
    dataset = list(aligned.stage("dataset", None).records(Pair))
    held_back = sum(pair.split == "validation" for pair in dataset)
    assert stored.outcome
    assert stored.outcome.examples == len(dataset) - held_back
    assert stored.outcome.evaluation_examples == held_back
    for fact in (
        f"Pairs: {len(dataset)} (training {len(dataset) - held_back}, validation {held_back})",
        "Iterations: 1, 2",
        "Base model: model",
        adapter.fingerprint,
        "Epochs: 1",
        f"to {stored.outcome.losses[-1].loss:.4f}",
        "to 6 held-out instructions",
    ):
        assert fact in card


def test_one_sees_what_matters_on_every_page(aligned: Project) -> None:
    of_assets = pages(aligned.environment["DAGSTER_HOME"])
    for asset in ("more_responses", "dataset", "length_controlled", "aligned_sft", "aligned_model"):
        assert_one_sees_what_matters(of_assets[f"{asset} "])


def test_what_is_up_to_date_is_not_made_again(aligned: Project) -> None:
    result = aligned.run("dataset", "--experiment", "small")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("up to date") == 6


def test_a_pair_is_traced_to_seeds(aligned: Project) -> None:
    example = next(aligned.stage("aligned_sft", None).records(AlignedExample))
    result = aligned.run("trace", example.record_id, "--format", "json")
    assert result.returncode == 0, result.stderr
    node, stages = json.loads(result.stdout), []
    while node["parents"]:
        stages.append(node["stage"])
        node = node["parents"][0]
    assert stages[0] == "aligned_sft"
    assert stages[-3:] == ["dataset", "initial_responses", "instructions"]
    assert node["stage"] == "seeds"


def test_data_set_and_model_are_handed_on(aligned: Project, tmp_path: Path) -> None:
    out = tmp_path / "data"
    result = aligned.run("export", "-e", "small", "--format", "jsonl", "--out", str(out))
    assert result.returncode == 0, result.stderr
    rows = [line for path in out.glob("*.jsonl") for line in path.read_text().splitlines()]
    assert len(rows) == len(aligned.stage("dataset", None))
    model = tmp_path / "model"
    result = aligned.run("export-model", "-e", "small", "--role", "aligned", "--merged",
                         "--out", str(model))  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert not isinstance(AutoModelForCausalLM.from_pretrained(model), PeftModel)
    assert "aligned model" in (model / "README.md").read_text()


def test_without_an_iteration_there_is_nothing_to_align_on(fresh: Project) -> None:
    result = fresh.run("dataset", "--experiment", "small")
    assert result.returncode == 1
    assert "small has no finished iteration yet" in " ".join(result.stderr.split())
