"""The real model's experiments and what they are given. Its weights need not be there."""

from collections import Counter

import pytest

from sl_dagster.commands.validation import validate_experiment
from sl_dagster.experiment import load_experiment
from sl_dagster.inputs.instructions import read_instructions
from sl_dagster.inputs.seeds import read_seed_instructions
from sl_dagster.method.diversity import SimilarTexts
from sl_dagster.method.instructions import MAX_SIMILARITY
from sl_dagster.method.lengths import length_named_in

KINDS = {
    "literature", "academic", "business", "journalism", "professional", "personal", "technical",
}  # fmt: skip


@pytest.fixture(scope="module")
def experiment(folder):
    return load_experiment(folder / "smollm2_135m.yaml")


@pytest.fixture(scope="module")
def heldout(experiment):
    return read_instructions(experiment.heldout.file, ("en",))


def test_the_experiments_and_all_they_name_are_valid(folder):
    validate_experiment(folder / "smollm2_135m.yaml")
    for path in folder.glob("*.yaml"):
        load_experiment(path)


def test_it_is_as_large_as_the_issue_of_a_real_model_asks(experiment, heldout):
    assert experiment.instructions.count >= 300
    assert len(heldout) >= 64
    assert {line.kind for line in heldout} == KINDS


def test_there_are_thirty_seeds_of_each_kind(experiment):
    seeds = Counter(seed.line.kind for seed in read_seed_instructions(experiment.seeds, ("en",)))
    assert seeds.keys() == KINDS
    assert min(seeds.values()) >= 30


def test_no_held_out_instruction_is_like_a_seed_or_like_another(experiment, heldout):
    known = SimilarTexts()
    seeds = [seed.line for seed in read_seed_instructions(experiment.seeds, ("en",))]
    for line in (*seeds, *heldout):
        assert line.instruction not in known
        assert not known.most_similar(line.instruction, MAX_SIMILARITY), line.instruction
        known.add(line.instruction)


def test_what_must_be_mentioned_stands_in_the_held_out_instruction(heldout):
    for line in heldout:
        assert line.mentions
        for name in line.mentions:
            assert name.lower() in line.instruction.lower()


def test_no_held_out_instruction_names_a_length(heldout):
    assert [line for line in heldout if length_named_in(line.instruction)] == []


@pytest.mark.parametrize("name", ["smollm2_135m", "smollm2_135m_small", "smollm2_135m_gpu"])
def test_the_control_is_given_the_same_and_extends_nothing(folder, name):
    experiment = load_experiment(folder / f"{name}.yaml")
    assert experiment.control == f"{name}_control"
    control = load_experiment(folder / f"{name}_control.yaml")
    assert control.extension.rounds == 0
    assert not control.length_selection
    same = {"name", "description", "control", "extension", "length_selection"}
    assert control.model_dump(exclude=same) == experiment.model_dump(exclude=same)
