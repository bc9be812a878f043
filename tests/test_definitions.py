"""Definitions load quickly, and the tools of Dagster accept them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
import yaml

from sl_dagster.definitions import build_definitions, defs
from sl_dagster.experiment import load_experiment, load_experiments
from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.resources.named import resources_in

UNUSED = Path("unused")
HEAVY = (
    "torch", "transformers", "vllm", "datasets", "matplotlib", "openai", "peft", "scipy", "trl",
)  # fmt: skip


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=PROJECT_ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    """Those of the experiments that come with the project."""
    return defs()


def test_loading_imports_no_model_library() -> None:
    program = (
        "import sys; from sl_dagster.definitions import defs; defs(); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert run(sys.executable, "-c", program).stdout.strip() == "[]"


def test_every_experiment_has_its_groups_and_jobs(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    experiments = load_experiments(PROJECT_ROOT / "experiments").experiments
    names = {experiment.name for experiment in experiments}
    groups = {name + part for name in names for part in ("", "_final", "_scores")}
    groups.add("previews")
    assert {graph.get(key).group_name for key in graph.get_all_asset_keys()} == groups
    for experiment in experiments:
        name = experiment.name
        for purpose in (
            "iteration", "generate_only", "train_only", "dataset", "evaluate", "refresh", "preview",
        ):  # fmt: skip
            job = definitions.resolve_job_def(f"{name}_{purpose}")
            assert job.description
        trained = definitions.resolve_job_def(f"{name}_train_only").asset_layer.selected_asset_keys
        assert {key.path[-1] for key in trained} == {f"{role}_lora" for role in experiment.roles}


def test_the_graph_is_that_of_the_design(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()

    def parents(asset: str, experiment: str = "demo") -> set[str]:
        node = graph.get(dg.AssetKey([experiment, asset]))
        return {key.path[-1] for key in node.parent_keys}

    assert parents("previous_generator") == parents("previous_extender") == {"seeds"}
    assert parents("initial_responses") == {"instructions", "previous_generator"}
    assert parents("round1_stage1") == {"initial_responses", "previous_extender"}
    assert parents("round1_stage2") == {"round1_stage1", "previous_extender"}
    assert parents("extended_responses") == {"round1_stage2"}
    assert parents("round2_stage1", "qwen2_5_7b") == {"round1_stage2", "previous_extender"}
    assert parents("extended_responses", "qwen2_5_7b") == {"round3_stage2"}
    assert parents("extended_responses", "demo_control") == {"initial_responses"}
    assert parents("generator_sft") == parents("extender_sft") == {"extended_responses"}
    assert parents("generator_lora") == {"generator_sft", "previous_generator"}
    assert parents("longen_scores") == {"generator_lora", "aligned_model"}
    benchmarks = {"longen_scores", "longbench_scores"}
    assert parents("model_scores") == benchmarks
    assert parents("text_decay") == {"heldout_base", "heldout_responses", *benchmarks}
    assert parents("extender_lora") == {"extender_sft", "previous_extender"}
    assert parents("dataset") == {"seeds", "initial_responses", "extended_responses"}
    assert parents("plans", "demo_planned") == {"instructions"}
    assert parents("extended_responses", "demo_planned") == {"planned_responses"}
    assert parents("dataset", "demo_planned") == {"seeds", "extended_responses"}
    assert parents("instructions", "demo_documents") == {"documents", "previous_generator"}
    assert parents("extended_responses", "demo_documents") == {"instructions", "documents"}
    assert dg.AssetKey(["demo_documents", "extender_lora"]) not in graph.get_all_asset_keys()
    assert parents("length_controlled") == {"dataset"}
    assert parents("aligned_sft") == {"dataset", "length_controlled"}
    assert parents("aligned_model") == {"aligned_sft"}


def test_what_comes_after_the_loop_has_a_job_of_its_own(definitions: dg.Definitions) -> None:
    def assets(job: str) -> set[str]:
        layer = definitions.resolve_job_def(job).asset_layer
        return {key.path[-1] for key in layer.asset_graph.executable_asset_keys}

    after = {"dataset", "length_controlled", "aligned_sft", "aligned_model"}
    assert assets("demo_dataset") == after
    assert assets("demo_iteration").isdisjoint(after)


def test_any_experiments_have_definitions_whatever_the_environment(
    write_experiment: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: set[str] = set()

    class Watched(os._Environ):
        def __getitem__(self, key: str) -> str:
            read.add(os.fsdecode(key))
            return super().__getitem__(key)

    experiments = [load_experiment(write_experiment(name)) for name in ("small", "other")]
    watched = Watched(**{name.removeprefix("_"): part for name, part in vars(os.environ).items()})
    monkeypatch.setattr(os, "environ", watched)
    definitions = build_definitions(experiments, resources_in(tmp_path / "elsewhere"))
    assert not {name for name in read if name.startswith(("SL_DAGSTER_", "DAGSTER_HOME"))}
    graph = definitions.resolve_asset_graph()
    assert {key.path[0] for key in graph.get_all_asset_keys()} == {"small", "other"}
    seeds = dg.AssetKey(["small", "seeds"])
    job = definitions.resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(asset_selection=[seeds]).success
    assert list((tmp_path / "elsewhere" / "small" / "seeds").rglob("records.parquet"))


def test_collecting_adds_two_assets(write_experiment: Callable[..., Path]) -> None:
    experiment = load_experiment(write_experiment(dataset={"collect": 5}))
    graph = build_definitions([experiment], resources_in(UNUSED)).resolve_asset_graph()
    node = graph.get(dg.AssetKey(["small", "dataset"]))
    assert dg.AssetKey(["small", "more_responses"]) in node.parent_keys
    node = graph.get(dg.AssetKey(["small", "more_responses"]))
    assert {key.path[-1] for key in node.parent_keys} == {"more_instructions", "generator_lora"}


def test_models_are_measured_by_a_job_of_their_own(definitions: dg.Definitions) -> None:
    def made(job: str) -> set[str]:
        layer = definitions.resolve_job_def(job).asset_layer
        return {key.path[-1] for key in layer.executable_asset_keys}

    scores = {"longen_scores", "longbench_scores", "quality_scores"}
    assert made("demo_evaluate") == {*scores, "model_scores", "text_decay", "report"}
    assert made("demo_iteration").isdisjoint(made("demo_evaluate"))
    partitions = definitions.resolve_job_def("demo_evaluate").partitions_def
    assert partitions
    assert partitions.get_partition_keys() == ["base", "1", "2", "3", "aligned"]


def test_one_gpu_user_at_a_time(definitions: dg.Definitions) -> None:
    """What asks the engine or trains is in the pool that the shipped settings limit."""
    graph = definitions.resolve_asset_graph()
    demo = [key for key in graph.get_all_asset_keys() if key.path[0] == "demo"]
    assert {key.path[-1] for key in demo if "gpu" in (graph.get(key).pools or ())} == {
        "instructions", "initial_responses", "round1_stage1", "round1_stage2", "heldout_base",
        "heldout_responses", "generator_lora", "extender_lora", "length_controlled",
        "aligned_model", "longen_scores", "longbench_scores", "quality_scores", "preview",
    }  # fmt: skip
    nodes = definitions.resolve_job_def("demo_iteration").graph.node_defs
    assert {"demo__adapters_change_output"} <= {node.name for node in nodes if node.pools}
    settings = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text())
    assert settings["concurrency"]["pools"] == {"granularity": "run", "default_limit": 1}


def test_owners_and_tags(write_experiment) -> None:
    path = write_experiment(
        base_model="Qwen/Qwen2.5-7B-Instruct",
        owners=["jane@example.org", "team:writing"],
        engine={"type": "vllm"},
    )
    definitions = build_definitions([load_experiment(path)], resources_in(UNUSED))
    graph = definitions.resolve_asset_graph()
    node = graph.get(dg.AssetKey(["small", "extender_sft"]))
    assert node.owners == ("jane@example.org", "team:writing")
    expected = {"base_model": "Qwen2.5-7B-Instruct", "engine": "vllm"}
    assert dict(node.tags).items() >= (expected | {"role": "extender"}).items()
    job = definitions.resolve_job_def("small_iteration")
    assert job.tags.items() >= (expected | {"experiment": "small"}).items()


def test_every_asset_is_described_and_fits_its_box(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.kinds, key
        assert node.owners, key
        assert node.code_version, key
        assert len(key.path[-1]) <= 18, key


@pytest.mark.parametrize(
    "command",
    [
        ("dagster", "definitions", "validate", "-m", "sl_dagster.definitions"),
        ("dg", "check", "defs"),
        ("dg", "list", "defs"),
    ],
)
def test_the_tools_of_dagster_accept_them(command: tuple[str, ...], tmp_path: Path) -> None:
    program = str(Path(sys.executable).parent / command[0])
    result = run(program, *command[1:], DAGSTER_HOME=str(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_wrong_experiment_file_is_shown_and_stops_no_other(
    write_experiment: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_experiment("good").parent
    (folder / "wrong.yaml").write_text("iterations: many\nseeds: <script>alert(1)</script>\n")
    (folder / "My-Draft.yaml").write_text("# to be written\n")
    monkeypatch.setenv("SL_DAGSTER_EXPERIMENTS", str(folder))
    definitions = defs()
    assert definitions.resolve_job_def("good_iteration")
    graph = definitions.resolve_asset_graph()
    groups = {graph.get(key).group_name for key in graph.get_all_asset_keys()}
    assert groups == {"good", "good_final", "good_scores", "previews", "broken_experiments"}
    [broken] = [
        graph.get(key)
        for key in graph.get_all_asset_keys()
        if graph.get(key).group_name == "broken_experiments"
    ]
    assert (broken.key.path[-1], broken.is_materializable) == ("wrong", False)
    assert f"{folder}/wrong.yaml: " in (broken.description or "")
    assert "    iterations: expected a whole number, found 'many'" in (broken.description or "")


def test_a_misspelt_folder_of_experiments(tmp_path: Path) -> None:
    result = run(
        sys.executable, "-c", "from sl_dagster.definitions import defs; defs()",
        SL_DAGSTER_EXPERIMENTS=str(tmp_path / "expriments"),
    )  # fmt: skip
    assert "expriments: there is no such folder" in result.stderr
