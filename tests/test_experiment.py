"""The experiment file: defaults, and the message for everything that can be wrong in it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sl_dagster.errors import UserError
from sl_dagster.experiment import SamplingChanges, load_experiment, load_experiments
from sl_dagster.method.prompts import builtin_prompts_file
from sl_dagster.settings import PROJECT_ROOT

Write = Callable[..., Path]


def test_defaults_are_the_papers(write_experiment: Write) -> None:
    experiment = load_experiment(write_experiment())
    assert experiment.name == "small"
    assert experiment.partitions == ["1", "2", "3"]
    assert experiment.sampling.model_dump() == {
        "temperature": 0.7,
        "top_p": 0.8,
        "top_k": 20,
        "repetition_penalty": 1.1,
        "max_tokens": 16384,
        "stop": ("\n\n\n", "---"),
    }
    assert (experiment.instructions.count, experiment.instructions.tries) == (5000, 10)
    assert experiment.instructions.pool == "seeds"
    assert (experiment.initial_responses.samples, experiment.initial_responses.tries) == (2, 20)
    assert (experiment.extension.rounds, experiment.extension.growth) == (3, 1.2)
    assert experiment.extension.line_dropout == 0.2
    assert experiment.training.learning_rate == 1e-4
    assert (experiment.training.epochs, experiment.training.max_length) == (4, 16384)


def test_a_stage_changes_only_what_it_names(write_experiment: Write) -> None:
    experiment = load_experiment(write_experiment())
    changed = experiment.sampling.overlaid(SamplingChanges(temperature=0))
    assert changed.temperature == 0
    assert changed.top_p == experiment.sampling.top_p


def test_the_projects_own_experiments_are_right() -> None:
    names = [experiment.name for experiment in load_experiments(PROJECT_ROOT / "experiments")]
    assert {"demo", "demo_control"} <= set(names)


def test_an_experiment_can_build_on_another(write_experiment: Write) -> None:
    write_experiment("base", extension={"rounds": 2, "tries": 7})
    path = write_experiment(
        "derived", base_model=..., seeds=..., extends="base.yaml", extension={"rounds": 0}
    )
    experiment = load_experiment(path)
    assert experiment.name == "derived"
    assert (experiment.extension.rounds, experiment.extension.tries) == (0, 7)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"iteration": 3}, "iteration: unknown key"),
        ({"sampling": {"temprature": 1}}, "sampling.temprature: unknown key"),
        ({"sampling": {"temperature": "warm"}}, "sampling.temperature: expected a valid number"),
        ({"sampling": {"top_p": 0}}, "sampling.top_p: expected greater than 0"),
        ({"extension": 3}, "extension: expected a group of settings"),
        ({"iterations": 0}, "iterations: expected greater than or equal to 1"),
        ({"languages": ["fr"]}, "languages.0: expected 'en' or 'zh', found 'fr'"),
        ({"seeds": "none.jsonl"}, "seeds: there is no file"),
        ({"seeds": ...}, "seeds: this key is missing"),
        ({"seeds": []}, "seeds: "),
        ({"seeds": ["seeds.jsonl", "none.jsonl"]}, "seeds: there is no file"),
        ({"seeds": 3}, "seeds: expected a valid tuple"),
        ({"instructions": {"pool": "big"}}, "instructions.pool: expected 'seeds' or 'growing'"),
        ({"instructions": {"max_similarity": 0}}, "instructions.max_similarity: expected greater"),
        ({"instructions": {"max_similarity": 70}}, "instructions.max_similarity: expected less"),
        ({"base_model": "./here"}, "here is no model folder: it has no config.json"),
        ({"heldout": {"file": "none.jsonl"}}, "heldout: there is no file"),
        ({"prompts": {"en": "seeds.jsonl"}}, "seeds.jsonl"),
        (
            {"engine": {"type": "magic"}},
            "engine.type: expected transformers, vllm, openai, found magic",
        ),
        ({"engine": {"dtype": "float32"}}, "engine.type: expected transformers, vllm, openai, "),
        ({"engine": {"type": "vllm", "port": 1}}, "engine.port: unknown key"),
        (
            {"engine": {"type": "vllm", "options": {"port": 1}}},
            "engine.options: port: set by sl-dagster itself",
        ),
        ({"engine": {"type": "openai", "base_urls": []}}, "engine.base_urls: "),
        ({"extends": "none.yaml"}, "none.yaml: there is no such experiment file"),
    ],
)
def test_mistakes_are_named(write_experiment: Write, settings: dict, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        load_experiment(write_experiment(**settings))
    assert expected in str(caught.value)
    assert ".yaml" in str(caught.value)


PROMPTS = builtin_prompts_file("zh").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (PROMPTS.replace("{response}", ""), "extend: placeholders must be: {instruction}, "),
        (PROMPTS.replace("{first}", "{frist}"), "self_instruct_turn: placeholders must be: "),
        (PROMPTS.replace("judge:", "jugde:"), "judge: this key is missing"),
        (PROMPTS.replace("[是, 否]", "[yes, no]"), "judge_answers.0: expected a valid string"),
        (PROMPTS.replace("[是, 否]", "[是]"), "judge_answers.1: this key is missing"),
        (PROMPTS.replace("self_instruct_stop: 写作任务4", "self_instruct_stop: ''"), "stop: "),
        ("a: [1", "is no YAML"),
        (PROMPTS.encode("gb18030"), "is no YAML in UTF-8"),
    ],
)
def test_a_mistake_in_the_users_own_prompts_names_file_and_field(
    write_experiment: Write, content: str | bytes, expected: str
) -> None:
    path = write_experiment(languages=["zh"], prompts={"zh": "mine.yaml"})
    file = path.parent / "mine.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as caught:
        load_experiment(path)
    assert str(caught.value).startswith(f"{path}: prompts: {file}")
    assert expected in str(caught.value)


def test_every_language_has_prompts_of_its_own_that_can_be_replaced(
    write_experiment: Write,
) -> None:
    both = load_experiment(write_experiment(languages=["en", "zh"])).prompts_by_language
    assert both["zh"].self_instruct_stop != both["en"].self_instruct_stop
    path = write_experiment(languages=["zh"], prompts={"zh": "mine.yaml"})
    (path.parent / "mine.yaml").write_text(PROMPTS.replace("写作任务", "任务"), encoding="utf-8")
    assert load_experiment(path).prompts_by_language["zh"].self_instruct_stop == "任务4"


def test_a_name_belongs_to_the_file(write_experiment: Write) -> None:
    path = write_experiment()
    path.write_text(f"name: other\n{path.read_text()}")
    with pytest.raises(UserError, match="an experiment is named by its file"):
        load_experiment(path)


def test_several_mistakes_are_named_at_once(write_experiment: Write) -> None:
    with pytest.raises(UserError) as caught:
        load_experiment(write_experiment(iterations=0, sampling={"top_k": -1}))
    assert "iterations" in str(caught.value)
    assert "sampling.top_k" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: [1, 2", "is no YAML"),
        ("", "expected settings"),
        ("- a list", "expected settings"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_files_that_are_no_settings(tmp_path: Path, content: str | bytes, expected: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=expected):
        load_experiment(path)


def test_the_files_name_must_be_a_name(write_experiment: Write) -> None:
    with pytest.raises(UserError, match="the file's name must be lower-case"):
        load_experiment(write_experiment("My-Experiment"))


def test_a_folder_without_experiments(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no experiment file"):
        load_experiments(tmp_path)
