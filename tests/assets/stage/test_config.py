"""The config forms of stages: what they show, and what becomes of a change."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from sl_dagster.assets.stage.config import StageConfig, stage_config
from sl_dagster.definitions import build_definitions
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment, Training, load_experiment
from sl_dagster.jobs.launch import config_forms
from sl_dagster.resources.named import resources_in

SETTINGS = ("extension.tries", "extension.sampling", "filter.preset", "training.report_to",
            "training.seed", "training.accelerate_config")  # fmt: skip


@pytest.fixture
def experiment(write_experiment: Callable[..., Path]) -> Experiment:
    return load_experiment(
        write_experiment(
            sampling={"top_p": 0.9},
            extension={"tries": 7, "sampling": {"temperature": 0.3}},
        )
    )


def launched(experiment: Experiment, config: dict[str, Any]) -> StageConfig:
    """What an asset gets that is launched with this config."""
    got: list[StageConfig] = []

    def stage(config: StageConfig) -> None:
        got.append(config)

    stage.__annotations__["config"] = stage_config(experiment, SETTINGS)
    assert dg.materialize([dg.asset(stage)], run_config={"ops": {"stage": {"config": config}}})
    return got[0]


def test_the_form_has_the_experiments_values(experiment: Experiment) -> None:
    form = launched(experiment, {}).model_dump()
    assert form["extension"]["tries"] == 7
    sampling = form["extension"]["sampling"]
    assert (sampling["temperature"], sampling["top_p"], sampling["top_k"]) == (0.3, 0.9, 20)
    assert form["filter"] == {"preset": "default"}
    assert launched(experiment, {}).overrides() == {}
    assert launched(experiment, {"force": True}).over(experiment) is experiment


def test_a_change_is_that_of_the_file(experiment: Experiment, write_experiment) -> None:
    changes = {"extension": {"sampling": {"temperature": 1.0, "stop": ["END"]}},
               "training": {"report_to": ["tensorboard"], "seed": 3}}  # fmt: skip
    config = launched(experiment, changes)
    assert config.overrides() == changes
    by_file = load_experiment(
        write_experiment(
            sampling={"top_p": 0.9},
            extension={"tries": 7, "sampling": {"temperature": 1.0, "stop": ["END"]}},
            training=changes["training"],
        )
    )
    assert config.over(experiment) == by_file


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"extension": {"sampling": {"top_p": 3.0}}}, "extension.sampling.top_p: expected less"),
        ({"extension": {"tries": None}}, "extension.tries: expected a valid integer, found None"),
        ({"training": {"report_to": ["paper"]}}, "training.report_to.0: expected 'tensorboard'"),
        ({"training": {"accelerate_config": "none.yaml"}}, "accelerate_config: there is no file"),
    ],
)
def test_a_wrong_value_is_named(experiment: Experiment, changes: dict, problem: str) -> None:
    with pytest.raises(UserError, match=f"the settings of this launch: .*{problem}"):
        launched(experiment, changes).over(experiment)


def test_a_wrong_choice_is_refused_before_the_launch(experiment: Experiment) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match="preset not in enum"):
        launched(experiment, {"filter": {"preset": "mine"}})


def test_the_forms_of_the_stages(write_experiment) -> None:
    experiment = load_experiment(write_experiment(extension={"rounds": 2}))
    definitions = build_definitions([experiment], resources_in(Path("unused")))
    job = definitions.resolve_job_def("small_iteration")
    forms = {
        name: {
            section: set(getattr(field.config_type, "fields", {}))
            for section, field in form.fields.items()
            if section != "force"
        }
        for name, form in config_forms(job).items()
    }
    extension = {"tries", "max_tokens_per_input_word", "sampling"}
    assert forms == {
        "seeds": {},
        "adapters_change_output": {},
        "instructions": {
            "instructions": {
                "count", "tries", "pool", "max_similarity", "long_words", "judge_threshold",
                "sampling",
            },
            "filter": {"preset"},
        },
        "initial_responses": {
            "initial_responses": {"samples", "tries", "sampling"}, "filter": {"preset"}
        },
        "round1_stage1": {"extension": {*extension, "samples"}},
        "round2_stage1": {"extension": extension},
        "round1_stage2": {"extension": extension, "filter": {"preset"}},
        "round2_stage2": {"extension": extension, "filter": {"preset"}},
        "extended_responses": {"extension": {"growth"}},
        "generator_sft": {},
        "extender_sft": {"extension": {"line_dropout"}},
        "generator_lora": {"training": set(Training.model_fields) - {"lora"}},
        "extender_lora": {"training": set(Training.model_fields) - {"lora"}},
    }  # fmt: skip
