"""What the documentation shows as files and commands can be read by what will read them."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.commands.launch import launch_command_parser
from dagster._core.instance.config import dagster_instance_config, dagster_instance_config_schema
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin
from dagster._core.workspace.load import location_origins_from_yaml_paths

from sl_dagster.experiment import Experiment, VllmSettings, load_experiment
from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.resources.engines.vllm_options import check_options
from tests.resources.engines.conftest import needs_vllm

PAGES = [
    *(PROJECT_ROOT / name for name in ("README.md", "SECURITY.md")),
    *sorted((PROJECT_ROOT / "docs").glob("*.md")),
]
EXAMPLES = PROJECT_ROOT / "docs" / "examples"
# What stands beside an experiment in these pages; of files that are not named here, any will do.
BESIDE = {
    "de.yaml": (EXAMPLES / "de.yaml").read_text(encoding="utf-8"),
    "my_zh.yaml": "{}",
    "fsdp.yaml": "distributed_type: FSDP\n",
    "my_experiment.yaml": "base_model: some/model\nseeds: seeds.jsonl\n",
}


def shown(language: str) -> dict[str, str]:
    """The blocks of a language in all pages, by page and line."""
    blocks = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.finditer(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            line = text.count("\n", 0, block.start()) + 1
            blocks[f"{page.name}:{line}"] = block.group(1)
    return blocks


def is_of_accelerate(content: dict[str, Any]) -> bool:
    return "compute_environment" in content


def is_of_dagster(content: dict[str, Any]) -> bool:
    return content.keys() <= dagster_instance_config_schema().keys()


def of_kind(kind: str) -> dict[str, str]:
    """The blocks of YAML that are for accelerate, for Dagster, or experiments: all others."""

    def kind_of(content: dict[str, Any]) -> str:
        if "compute_environment" in content:
            return "accelerate"
        dagsters = content.keys() <= dagster_instance_config_schema().keys()
        return "dagster" if dagsters else "experiment"

    blocks = shown("yaml").items()
    return {place: block for place, block in blocks if kind_of(yaml.safe_load(block)) == kind}


def loaded(block: str, folder: Path) -> Experiment:
    """The experiment of a block, in a folder with the files that it names.

    A part of an experiment stands for a whole one.
    """
    experiments = folder / "experiments"
    experiments.mkdir()
    (folder / "seeds").mkdir()
    for name in {*re.findall(r"[\w./]+\.(?:jsonl|md|yaml)\b", block), "seeds.jsonl", *BESIDE}:
        path = experiments / name
        if path.resolve().is_relative_to(folder):
            path.write_text(BESIDE.get(path.name, "{}\n"), encoding="utf-8")
    content = yaml.safe_load(block)
    if "extends" not in content:
        content = {"base_model": "some/model", "seeds": "seeds.jsonl"} | content
    (experiments / "shown.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_experiment(experiments / "shown.yaml")


@pytest.mark.parametrize("place", of_kind("experiment"))
def test_an_experiment_that_is_shown_can_be_loaded(place: str, tmp_path: Path) -> None:
    experiment = loaded(of_kind("experiment")[place], tmp_path)
    assert experiment.model_fields_set > {"name", "base_model"}


def test_experiments_are_shown() -> None:
    """Or the test above would hold of none."""
    pages = {place.partition(":")[0] for place in of_kind("experiment")}
    assert pages >= {"engines.md", "languages.md", "results.md", "running.md", "scale.md"}


@pytest.mark.parametrize("place", of_kind("accelerate"))
def test_accelerate_reads_its_file(place: str, tmp_path: Path) -> None:
    (tmp_path / "shown.yaml").write_text(of_kind("accelerate")[place], encoding="utf-8")
    config = load_config_from_file(str(tmp_path / "shown.yaml"))
    assert isinstance(config, ClusterConfig) and config.distributed_type == "FSDP"
    launcher = {action.dest for action in launch_command_parser()._actions}
    assert (config.fsdp_config or {}).keys() <= launcher


@needs_vllm
def test_vllm_knows_the_options_that_are_shown(tmp_path: Path) -> None:
    options: dict[str, Any] = {}
    for number, block in enumerate(of_kind("experiment").values()):
        (tmp_path / str(number)).mkdir()
        experiment = loaded(block, tmp_path / str(number))
        engines = [experiment.engine, *([experiment.judge.engine] if experiment.judge else [])]
        for engine in engines:
            options |= engine.options if isinstance(engine, VllmSettings) else {}
    assert options.keys() >= {"data_parallel_size", "tensor_parallel_size", "max_model_len"}
    check_options(experiment.served, VllmSettings(type="vllm", options=options))


@needs_vllm
def test_vllm_knows_the_command_that_is_shown() -> None:
    commands = [
        line
        for block in shown("bash").values()
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("vllm serve ")
    ]
    parser = [sys.executable, "-m", "sl_dagster.resources.engines.vllm_arguments"]
    for command in commands:
        parsed = subprocess.run(
            [*parser, *shlex.split(command)[2:]], capture_output=True, text=True, check=False
        )
        assert parsed.returncode == 0, parsed.stderr
    assert commands


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files for several hosts, with the variables that they name."""
    folder = EXAMPLES / "hosts"
    for file in folder.iterdir():
        for name in re.findall(r"env: (\w+)", file.read_text(encoding="utf-8")):
            monkeypatch.setenv(name, "5432" if name.endswith("PORT") else name.lower())
    return folder


def test_dagster_reads_its_settings_for_several_hosts(hosts: Path, tmp_path: Path) -> None:
    shutil.copy(hosts / "dagster.yaml", tmp_path)
    settings, _ = dagster_instance_config(str(tmp_path))
    assert settings["storage"].keys() == {"postgres"}
    assert settings["concurrency"]["runs"]["max_concurrent_runs"] == 2


def test_dagster_reads_its_workspace_of_several_hosts(hosts: Path) -> None:
    origins = location_origins_from_yaml_paths([str(hosts / "workspace.yaml")])
    assert [
        (origin.host, origin.port, origin.location_name)
        for origin in origins
        if isinstance(origin, GrpcServerCodeLocationOrigin)
    ] == [("node1", 4001, "node1"), ("node2", 4002, "node2")]


@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.glob("*/experiments/*.yaml")), ids=lambda path: path.name
)
def test_an_experiment_among_the_examples_can_be_loaded(path: Path) -> None:
    assert load_experiment(path).name == path.stem


def test_every_test_that_is_named_is_there() -> None:
    there = {path.as_posix() for path in (PROJECT_ROOT / "tests").rglob("test_*.py")}
    named = [
        (page.name, name)
        for page in PAGES
        for name in re.findall(r"`([\w/]*test_\w+\.py)`", page.read_text(encoding="utf-8"))
    ]
    assert len(named) > 30
    assert [one for one in named if not any(path.endswith(f"/{one[1]}") for path in there)] == []
