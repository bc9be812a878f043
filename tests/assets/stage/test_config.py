"""The config forms of stages: what they show, and what becomes of a change."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.snap.snap_to_yaml import default_values_yaml_from_type_snap

from sl_dagster.assets.stage.config import StageConfig, stage_config
from sl_dagster.definitions import build_definitions
from sl_dagster.errors import UserError
from sl_dagster.experiment import Experiment, Training, load_experiment
from sl_dagster.jobs.launch import config_forms
from sl_dagster.paths import PROJECT_ROOT
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
        ({"extension": {"tries": None}}, "extension.tries: expected a whole number, found null"),
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
        "round1_stage1": {"extension": {*extension, "samples"}, "filter": {"preset"}},
        "round2_stage1": {"extension": extension, "filter": {"preset"}},
        "round1_stage2": {"extension": {*extension, "new_prefixes"}, "filter": {"preset"}},
        "round2_stage2": {
            "extension": {*extension, "new_prefixes", "retry_grown", "growth"},
            "filter": {"preset"},
        },
        "extended_responses": {"extension": {"growth"}},
        "generator_sft": {},
        "extender_sft": {"extension": {"line_dropout"}},
        "generator_lora": {"training": set(Training.model_fields) - {"lora"}},
        "extender_lora": {"training": set(Training.model_fields) - {"lora"}},
    }  # fmt: skip


def fields_of(form: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """All fields of a form, by their paths, as the web UI gets them."""
    for name, field in form.fields.items():
        if hasattr(field.config_type, "fields"):
            yield from fields_of(field.config_type, (*path, name))
        else:
            yield ".".join((*path, name)), field


@pytest.mark.parametrize("name", ["demo", "demo_planned", "demo_documents", "qwen2_5_7b"])
def test_every_field_is_described(name: str) -> None:
    experiment = load_experiment(PROJECT_ROOT / "experiments" / f"{name}.yaml")
    definitions = build_definitions([experiment], resources_in(Path("unused")))
    seen: dict[str, str] = {}
    for job in ("iteration", "dataset", "evaluate", "preview"):
        for form in config_forms(definitions.resolve_job_def(f"{name}_{job}")).values():
            for path, field in fields_of(form):
                assert field.description and len(field.description) > 20, path
                seen[path] = field.description
    assert "(at least 1)" in seen["instructions.count"]
    assert "(at least 0)" in seen["instructions.sampling.temperature"]
    assert "(more than 0, at most 1)" in seen["instructions.sampling.top_p"]
    if name == "demo":
        assert "(more than 1, or null)" in seen["extension.max_tokens_per_input_word"]
        assert "(one of default / reference)" in seen["filter.preset"]


def test_stop_strings_can_be_read_and_written(write_experiment: Callable[..., Path]) -> None:
    experiment = load_experiment(write_experiment(sampling={"stop": "reference"}))
    assert launched(experiment, {}).model_dump()["extension"]["sampling"]["stop"] == [
        r"\n\n\n", "---",
    ]  # fmt: skip
    for shown, meant in ((r"\n\n", "\n\n"), ("a\nb", "a\nb"), (r"\\n", r"\n"), (r"\d", r"\d")):
        config = launched(experiment, {"extension": {"sampling": {"stop": [shown]}}})
        assert config.over(experiment).sampling_of("extension").stop == (meant,)
    same = {"extension": {"sampling": {"stop": ["\n\n\n", "---"]}}}
    assert launched(experiment, same).overrides() == {}, "written in YAML's own way, too"


def test_a_value_out_of_bounds_is_refused(experiment: Experiment) -> None:
    config = launched(experiment, {"extension": {"sampling": {"temperature": -3.0}}})
    with pytest.raises(UserError, match=r"extension.sampling.temperature.*greater than or equal"):
        config.over(experiment)


@pytest.mark.parametrize(
    ("stage", "settings", "problem"),
    [
        (
            "round1_stage2",
            {"extension": {"sampling": {"temperature": -3.0}}},
            "round1_stage2: extension.sampling.temperature: expected greater than or equal to 0",
        ),
        ("generator_lora", {"training": {"epochs": 0}}, "generator_lora: training.epochs: "),
        ("round1_stage2", {"extension": {"tries": 3}}, None),
    ],
)
def test_the_first_stage_of_a_run_refuses_what_a_later_one_could_not_begin_with(
    experiment: Experiment, tmp_path: Path, stage: str, settings: dict, problem: str | None
) -> None:
    definitions = build_definitions([experiment], resources_in(tmp_path / "data"))
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def("small_iteration").execute_in_process(
            run_config={"ops": {f"small__{stage}": {"config": settings | {"force": True}}}},
            asset_selection=[dg.AssetKey(["small", name]) for name in ("seeds", stage)],
            partition_key="1",
            instance=instance,
            raise_on_error=False,
        )
        said = {
            event.step_key: event.step_failure_data.user_failure_data
            for event in result.all_events
            if event.is_step_failure
        }
        seeds = said.get("small__seeds")
        if problem is None:
            assert seeds is None
        else:
            assert f"the settings of this launch: {problem}" in str(seeds and seeds.description)


def test_the_launchpad_has_no_fields_but_those_of_stages(experiment: Experiment) -> None:
    job = build_definitions([experiment], resources_in(Path("unused"))).resolve_job_def(
        f"{experiment.name}_iteration"
    )
    snapshot = job.get_job_snapshot()
    root = snapshot.mode_def_snaps[0].root_config_key
    assert root
    schema = snapshot.config_schema_snapshot
    offered = yaml.safe_load(
        default_values_yaml_from_type_snap(schema, schema.get_config_snap(root))
    )
    assert set(offered) <= {"ops", "loggers", "execution"}
    assert "data_dir" not in str(offered)


def test_a_form_belongs_to_its_values(write_experiment: Callable[..., Path]) -> None:
    def form(**settings: Any) -> type[StageConfig]:
        return stage_config(load_experiment(write_experiment(**settings)), SETTINGS)

    assert form(iterations=5) is form(iterations=6), "made once, as it takes a while"
    one, other = form(extension={"tries": 7}), form(extension={"tries": 8})
    assert one().model_dump()["extension"]["tries"] == 7
    assert other().model_dump()["extension"]["tries"] == 8
