"""The experiment file: defaults, and the message for everything that can be wrong in it."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sl_dagster.errors import UserError
from sl_dagster.experiment import SamplingChanges, load_experiment, load_experiments
from sl_dagster.method.prompts import builtin_prompts_file
from sl_dagster.paths import PROJECT_ROOT

Write = Callable[..., Path]


def by_name(**adapters: str) -> dict:
    """Settings of endpoints that find adapters by name."""
    engine = {"type": "openai", "base_urls": ["http://node1:8000/v1"], "adapters": adapters}
    return {"engine": engine}


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
        "stop": (),
    }
    assert (experiment.instructions.count, experiment.instructions.tries) == (5000, 10)
    assert experiment.instructions.pool == "seeds"
    assert (experiment.initial_responses.samples, experiment.initial_responses.tries) == (2, 20)
    assert (experiment.extension.rounds, experiment.extension.growth) == (3, 1.2)
    assert experiment.extension.line_dropout == 0.2
    assert experiment.training.learning_rate == 1e-4
    assert (experiment.training.epochs, experiment.training.max_length) == (4, 16384)


def test_the_papers_stop_strings_have_a_name(write_experiment: Write) -> None:
    changed = {"sampling": {"stop": "reference"}, "extension": {"sampling": {"stop": ["END"]}}}
    experiment = load_experiment(write_experiment(**changed))
    assert experiment.sampling_of("initial_responses").stop == ("\n\n\n", "---")
    assert experiment.sampling_of("extension").stop == ("END",)
    same = experiment.changed({"sampling": {"temperature": 0.5}})
    assert same.sampling.stop == experiment.sampling.stop


def test_a_stage_changes_only_what_it_names(write_experiment: Write) -> None:
    experiment = load_experiment(write_experiment())
    changed = experiment.sampling.overlaid(SamplingChanges(temperature=0))
    assert changed.temperature == 0
    assert changed.top_p == experiment.sampling.top_p


def test_the_projects_own_experiments_are_right() -> None:
    found = load_experiments(PROJECT_ROOT / "experiments")
    assert (found.broken, found.others) == ({}, [])
    names = [experiment.name for experiment in found.experiments]
    assert {"demo", "demo_control", "qwen2_5_7b", "llama3_1_8b", "qwen3_8b"} <= set(names)


@pytest.mark.parametrize("name", ["qwen2_5_7b", "llama3_1_8b", "qwen3_8b", "qwen2_5_3b"])
def test_experiments_for_real_models_have_the_papers_counts(
    write_experiment: Write, name: str
) -> None:
    real = load_experiment(PROJECT_ROOT / "experiments" / f"{name}.yaml")
    default = load_experiment(write_experiment())
    for group in ("iterations", "sampling", "instructions", "initial_responses", "extension"):
        assert getattr(real, group) == getattr(default, group), group
    same = {"quantization", "gradient_checkpointing"}  # they change memory, not what is learnt from
    assert real.training.model_dump(exclude=same) == default.training.model_dump(exclude=same)


def test_seeds_are_one_file_or_several(write_experiment: Write) -> None:
    one = load_experiment(write_experiment()).seeds
    assert [path.name for path in one] == ["seeds.jsonl"]
    assert load_experiment(write_experiment(seeds=["seeds.jsonl", "seeds.jsonl"])).seeds == one * 2
    on_hub = load_experiment(write_experiment(seeds="owner/seeds")).seeds
    assert [str(path) for path in on_hub] == ["owner/seeds"]
    for name in ("folder/none.csv", "../folder/none", "none"):
        with pytest.raises(UserError, match=r"seeds: there is no file .*none"):
            load_experiment(write_experiment(seeds=name))
    with pytest.raises(UserError, match=r"seeds: there is no file .*none"):
        load_experiment(write_experiment(seeds=["seeds.jsonl", "none.jsonl"]))


@pytest.mark.parametrize("seeds", ["./owner/name", "../owner/name", "/owner/name", "~/name"])
@pytest.mark.parametrize("listed", [False, True])
def test_what_begins_like_a_path_is_no_id_of_the_hub(
    write_experiment: Write, seeds: str, listed: bool
) -> None:
    with pytest.raises(UserError, match=r"seeds: there is no file .*name"):
        load_experiment(write_experiment(seeds=[seeds] if listed else seeds))


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
        ({"sampling": {"temperature": "warm"}}, "sampling.temperature: expected a number"),
        ({"sampling": {"top_p": 0}}, "sampling.top_p: expected greater than 0"),
        ({"extension": 3}, "extension: expected a group of settings"),
        ({"owners": ["jane"]}, "owners.0: expected an e-mail address or team:name, found 'jane'"),
        ({"iterations": 0}, "iterations: expected greater than or equal to 1"),
        ({"languages": ["French"]}, "languages.0: expected a language's ISO code"),
        (
            {"languages": ["en", "fr"]},
            "prompts: there are no prompts in fr: name a file",
        ),
        ({"sampling": {"stop": "END"}}, "sampling.stop: expected a list of strings, or the word"),
        ({"sampling": {"stop": ["a", ""]}}, "sampling.stop: an empty string would stop every"),
        ({"seeds": "none.jsonl"}, "seeds: there is no file"),
        ({"seeds": ...}, "seeds: this key is missing"),
        ({"seeds": []}, "seeds: "),
        ({"seeds": ["seeds.jsonl", "none.jsonl"]}, "seeds: there is no file"),
        ({"seeds": 3}, "seeds: expected a list"),
        ({"method": "magic"}, "method: expected 'self_lengthen', 'plan_then_write' or 'back_tran"),
        ({"method": "back_translation"}, "documents: this key is missing"),
        ({"documents": "seeds.jsonl"}, "documents: only `method: back_translation` reads docum"),
        (
            {"method": "back_translation", "documents": ["none.txt"]},
            "documents: there is no file",
        ),
        (
            {"method": "back_translation", "documents": "small.yaml"},
            "documents: small.yaml is none of .jsonl, .txt, .md",
        ),
        (
            {
                "method": "back_translation",
                "documents": "seeds.jsonl",
                "dataset": {"collect": 5},
            },
            "dataset: collect: `method: back_translation` has no seeds",
        ),
        (
            {"plan_then_write": {"max_sections": 1}},
            "plan_then_write.max_sections: expected greater",
        ),
        ({"instructions": {"pool": "big"}}, "instructions.pool: expected 'seeds' or 'growing'"),
        ({"instructions": {"max_similarity": 0}}, "instructions.max_similarity: expected greater"),
        ({"instructions": {"max_similarity": 70}}, "instructions.max_similarity: expected less"),
        ({"base_model": "./here"}, "here is no model folder: it has no config.json"),
        ({"heldout": {"file": "none.jsonl"}}, "heldout: there is no file"),
        ({"prompts": {"en": "seeds.jsonl"}}, "seeds.jsonl"),
        (
            {"benchmarks": {"other": {"queries": "seeds.jsonl"}}},
            "benchmarks: there is no benchmark other: there are longen, longbench_write",
        ),
        ({"benchmarks": {"longen": {}}}, "benchmarks.longen.queries: this key is missing"),
        (
            {"benchmarks": {"longen": {"queries": "none.jsonl"}}},
            "benchmarks.longen.queries: there is no file",
        ),
        (
            {"benchmarks": {"longen": {"queries": "LonGen"}}},
            "benchmarks.longen.queries: LonGen is neither a file (.jsonl) nor an id on the hub",
        ),
        (
            {"benchmarks": {"longen": {"queries": "seeds.jsonl", "scale": 0}}},
            "benchmarks.longen.scale: expected greater than 0",
        ),
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
        (by_name(publish_to=""), "engine.adapters.publish_to: "),
        (by_name(publish_to="s4://bucket"), "s4:// is no storage that fsspec knows"),
        (by_name(publish_to="x", name="mine"), "engine.adapters.name: it must hold {adapter}"),
        (by_name(publish_to="x", name="{adapter}{role}"), "and {model}, and not {role}"),
        (by_name(name="{adapter}"), "engine.adapters.publish_to: "),
        ({"dataset": {"validation_split": 1}}, "dataset.validation_split: expected less than 1"),
        (
            {"length_control": {"min_words": 80, "max_words": 80}},
            "length_control.max_words: expected more than min_words (80)",
        ),
        ({"length_control": {"roundings": [1000]}}, "length_control.roundings.1: "),
        (
            {"training": {"quantization": "4bit"}, "aligned_model": {"method": "full"}},
            "aligned_model: method full cannot train weights that are kept in 4 bits",
        ),
        ({"judge": {}}, "judge.model: this key is missing"),
        ({"judge": {"model": "./here"}}, "here is no model folder: it has no config.json"),
        ({"judge": {"model": "a/b", "samples": 0}}, "judge.samples: expected greater than or"),
        ({"judge": {"model": "a/b", "engine": {"type": "x"}}}, "judge.engine.type: expected tran"),
        ({"training": {"lora": {"rank": 0}}}, "training.lora.rank: expected greater than or equal"),
        ({"training": {"lora": {"target_modules": []}}}, "training.lora.target_modules: "),
        (
            {"training": {"lora": {"target_modules": ["lm_head"]}}},
            "training.lora.target_modules: lm_head can have no adapter",
        ),
        ({"training": {"quantization": "8bit"}}, "training.quantization: expected '4bit', found"),
        ({"training": {"evaluation_split": 1}}, "training.evaluation_split: expected less than 1"),
        ({"training": {"seed": -1}}, "training.seed: expected greater than or equal to 0"),
        ({"training": {"packing": "tight"}}, "training.packing: expected true or false"),
        ({"training": {"checkpoints": -1}}, "training.checkpoints: expected greater than or"),
        ({"training": {"num_processes": 0}}, "training.num_processes: expected greater than or"),
        ({"training": {"report_to": ["mlflow"]}}, "training.report_to.0: expected 'tensorboard', "),
        ({"training": {"accelerate_config": "none.yaml"}}, "accelerate_config: there is no file"),
        (
            {"training": {"launcher": ["srun"]}},
            "training.launcher: say in `num_processes` how many",
        ),
        (
            {"training": {"num_processes": 2, "launcher": []}},
            "training.launcher: ",
        ),
        (
            {"training": {"accelerate_config": "seeds.jsonl"}},
            "training.accelerate_config: ",
        ),
        ({"system_prompt": ""}, "system_prompt: expected some text"),
        ({"chat_template_kwargs": ["a"]}, "chat_template_kwargs: "),
        (
            {"chat_template_kwargs": {"tokenize": True}},
            "chat_template_kwargs: tokenize: set by sl-dagster itself",
        ),
        (
            {"chat_template_kwargs": {"day": date(2026, 1, 1)}},
            "chat_template_kwargs: expected numbers, texts, true, false and lists of",
        ),
        ({"extends": "none.yaml"}, "extends: there is no file"),
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
        (PROMPTS.replace("judge:", "jugde:"), "jugde: unknown key"),
        (
            PROMPTS.replace("[是, 否]", "[yes, no]"),
            "judge_answers.0: expected text, found true: put it in quotes",
        ),
        (PROMPTS.replace("[是, 否]", "[是]"), "judge_answers.1: this key is missing"),
        (PROMPTS.replace("self_instruct_stop: 写作任务4", "self_instruct_stop: ''"), "stop: "),
        ("a: [1", "is no YAML"),
        (PROMPTS.encode("gb18030"), "is no YAML: it is not in UTF-8"),
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


def test_a_trainings_identity_is_what_decides_its_result(write_experiment: Write) -> None:
    def identity(**training: Any) -> dict[str, Any]:
        return load_experiment(write_experiment(training=training)).training.identity

    path = write_experiment().parent / "accelerate.yaml"
    path.write_text("num_processes: 4\n")
    defaults = identity()
    assert defaults == {}
    assert identity(learning_rate=1e-4, packing=False) == defaults
    assert identity(gradient_checkpointing=True, checkpoints=3, report_to=["wandb"]) == defaults
    assert identity(num_processes=2, launcher=["srun"]) == identity(num_processes=2)
    different = [
        {"learning_rate": 2e-4}, {"lora": {"target_modules": ["q_proj"]}}, {"seed": 0},
        {"quantization": "4bit"}, {"packing": True}, {"max_length": 100}, {"num_processes": 2},
        {"evaluation_split": 0.1}, {"accelerate_config": "accelerate.yaml"},
    ]  # fmt: skip
    identities = [identity(**training) for training in different]
    assert all(one != defaults for one in identities)
    path.write_text("# the same\nnum_processes: 4\n")
    assert identity(accelerate_config="accelerate.yaml") == identities[-1]
    path.write_text("num_processes: 8\n")
    assert identity(accelerate_config="accelerate.yaml") != identities[-1]


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
        (b"\xff\xfe", "is no YAML: it is not in UTF-8"),
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


def test_the_aligned_model_is_trained_like_the_roles_but_for_what_it_names(
    write_experiment: Callable[..., Path],
) -> None:
    path = write_experiment(
        training={"epochs": 2, "batch_size": 8, "evaluation_split": 0.1, "quantization": "4bit"},
        aligned_model={"method": "full", "training": {"epochs": 5, "quantization": None}},
    )
    training = load_experiment(path).aligned_training
    assert (training.epochs, training.batch_size) == (5, 8)
    assert (training.quantization, training.evaluation_split) == (None, 0.0)


def test_a_launcher_names_files_beside_the_experiment(write_experiment: Write) -> None:
    path = write_experiment(
        training={"num_processes": 2, "launcher": ["srun", "-N2", "bash", "node.sh"]}
    )
    (path.parent / "node.sh").write_text("true\n")
    launcher = load_experiment(path).training.launcher
    assert launcher == ("srun", "-N2", "bash", str(path.parent / "node.sh"))
