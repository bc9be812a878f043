"""Trainings that a launcher starts, on several nodes: Slurm, and accelerate on two "machines"."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sl_dagster.errors import UserError
from sl_dagster.resources.engines.vllm_server import free_port
from sl_dagster.training.job import TrainingJob
from tests.resources.train import assert_same_weights, ended, trained
from tests.slurm import running_slurm
from tests.training.examples import new_job
from tests.training.fsdp_on_cpus import NOTE

pytestmark = pytest.mark.integration

# Two processes over gloo. accelerate calls it MULTI_GPU on CPUs as well.
_CONFIG = """
compute_environment: LOCAL_MACHINE
distributed_type: MULTI_GPU
use_cpu: true
mixed_precision: 'no'
rdzv_backend: static
same_network: true
"""
_NODE = """
exec {python} -m accelerate.commands.launch --config_file {config} --num_machines 2 \\
  --machine_rank ${{SLURM_PROCID:-$RANK_HERE}} --num_processes 2 --main_process_ip 127.0.0.1 \\
  --main_process_port {port} -m sl_dagster.training.train "$1"
"""
# Both machines as two commands of one shell, where there is no scheduler.
_BOTH = """
RANK_HERE=0 bash {node} "$1" & first=$!
RANK_HERE=1 bash {node} "$1" & second=$!
trap 'kill $first $second' TERM
wait $first && wait $second
"""
# As `accelerate config` writes it, but for CPUs.
_FSDP2 = """
compute_environment: LOCAL_MACHINE
distributed_type: FSDP
use_cpu: true
mixed_precision: 'no'
num_machines: 1
num_processes: 2
fsdp_config:
  fsdp_version: 2
  fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP
  fsdp_reshard_after_forward: true
  fsdp_state_dict_type: SHARDED_STATE_DICT
"""
# Whoever writes it means two; accelerate counts GPUs.
_ONE = """
compute_environment: LOCAL_MACHINE
distributed_type: 'NO'
use_cpu: true
num_machines: 1
num_processes: 2
"""
_SRUN = ("srun", "-N2", "--ntasks-per-node=1", "--kill-on-bad-exit=1")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cluster of two nodes, to which ``srun`` goes."""
    with running_slurm(tmp_path_factory.mktemp("slurm")) as configuration:
        before = os.environ.get("SLURM_CONF")
        os.environ["SLURM_CONF"] = str(configuration)
        yield
        del os.environ["SLURM_CONF"]
        if before:
            os.environ["SLURM_CONF"] = before


@pytest.fixture
def launchers(tmp_path: Path) -> Callable[[str], tuple[str, ...]]:
    """Gives the launcher of a kind: ``slurm`` or ``accelerate``."""
    config, node, both = (tmp_path / name for name in ("two.yaml", "node.sh", "both.sh"))
    config.write_text(_CONFIG)
    node.write_text(_NODE.format(python=sys.executable, config=config, port=free_port()))
    both.write_text(_BOTH.format(node=node))
    commands = {"slurm": (*_SRUN, "bash", str(node)), "accelerate": ("bash", str(both))}
    return commands.__getitem__


@pytest.mark.parametrize("kind", ["accelerate", "slurm"])
def test_two_nodes_learn_what_one_process_learns(
    kind: str, launchers, slurm: None, tmp_path: Path
) -> None:
    alone = new_job(tmp_path, "alone", batch_size=2, precision="fp32")
    expected = trained(alone)
    both = new_job(
        tmp_path, "both", batch_size=1, precision="fp32", num_processes=2, launcher=launchers(kind)
    )
    outcome = trained(both)
    assert outcome.steps == expected.steps
    assert outcome.examples == expected.examples
    assert [point.step for point in outcome.losses] == [point.step for point in expected.losses]
    assert_same_weights(both, alone)


@pytest.fixture
def fsdp(tmp_path: Path) -> Callable[[str], tuple[str, ...]]:
    """Gives a launcher of two processes on CPUs, among which a program is to shard its weights."""
    config = tmp_path / "fsdp.yaml"
    config.write_text(_FSDP2)
    launch = (sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config))
    return lambda program: (*launch, "--main_process_port", str(free_port()), "-m", program)


def test_sharded_weights_learn_what_one_process_learns(fsdp, tmp_path: Path) -> None:
    expected = trained(alone := new_job(tmp_path, "alone", batch_size=2, precision="fp32"))
    settings = {"batch_size": 1, "precision": "fp32", "num_processes": 2}
    program = fsdp("tests.training.fsdp_on_cpus")
    outcome = trained(both := new_job(tmp_path, "both", launcher=program, **settings))
    assert outcome.steps == expected.steps
    sharded, _, all_weights, _, processes = (both.output / NOTE).read_text().split()
    assert int(sharded) == int(all_weights) > 100
    assert processes == "2"
    assert_same_weights(both, alone)


def test_sharding_that_silently_is_none_is_refused(fsdp, tmp_path: Path) -> None:
    """On CPUs, accelerate makes plain data parallelism of it and says nothing."""
    wrong = new_job(tmp_path, "wrong", num_processes=2, launcher=fsdp("sl_dagster.training.train"))
    refusal = r"training\.launcher: it asks for FSDP, and accelerate has made MULTI_CPU of it"
    with pytest.raises(UserError, match=refusal):
        trained(wrong)


@pytest.mark.parametrize(
    ("config", "refusal"),
    [
        (_FSDP2, "it asks for FSDP, and accelerate has made MULTI_CPU of it"),
        (_ONE, "2 processes are asked for, and the training program runs as 1"),
    ],
)
def test_a_file_of_accelerate_that_silently_means_less_is_refused(
    config: str, refusal: str, tmp_path: Path
) -> None:
    file = tmp_path / "accelerate.yaml"
    file.write_text(f"{config}main_process_port: {free_port()}\n")
    wrong = new_job(tmp_path, "wrong", accelerate_config=file)
    with pytest.raises(UserError, match=rf"training\.accelerate_config: {refusal}"):
        trained(wrong)


def test_fewer_processes_than_asked_for_are_refused(launchers, tmp_path: Path) -> None:
    alone = (sys.executable, "-m", "sl_dagster.training.train")
    wrong = new_job(tmp_path, "wrong", num_processes=2, launcher=alone)
    with pytest.raises(
        UserError, match=r"training\.num_processes: 2 processes are asked for, and .* runs as 1"
    ):
        trained(wrong)


def test_a_launcher_that_does_not_exist(tmp_path: Path) -> None:
    wrong = new_job(tmp_path, "wrong", num_processes=2, launcher=("sbrun", "-N2"))
    with pytest.raises(UserError, match=r"training\.launcher: there is no command 'sbrun'"):
        trained(wrong)


def test_a_launcher_that_fails(tmp_path: Path) -> None:
    """The whole command is named, for it is perhaps a file that is not where it is looked for."""
    wrong = new_job(tmp_path, "wrong", num_processes=2, launcher=("bash", "no node.sh"))
    failure = r"training program failed \(exit status 127 of bash 'no node\.sh'\)"
    with pytest.raises(UserError, match=failure):
        trained(wrong)


@pytest.mark.parametrize(
    ("kind", "ends"),
    [
        ("slurm", ("the run dies", "a rank dies", "cancelled")),
        ("accelerate", ("the run dies", "a rank dies")),
    ],
    ids=["slurm", "accelerate"],
)
def test_what_ends_one_ends_all_and_the_next_run_goes_on(
    kind: str, ends: tuple[str, ...], launchers, slurm: None, tmp_path: Path
) -> None:
    long = new_job(
        tmp_path, "long", epochs=30, batch_size=1, num_processes=2, launcher=launchers(kind)
    )
    step = 0
    for end in ends:
        step = ended(long, end, after=step, programs=training_programs)
    outcome = trained(long)
    assert outcome.resumed_at == step
    assert outcome.steps == 90


def training_programs(job: TrainingJob) -> list[psutil.Process]:
    """The processes that train, on all nodes; each was started with the path of the job."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if str(job.output) in " ".join(command) and "sl_dagster.training.train" in command:
            found.append(process)
    return sorted(found, key=lambda process: process.pid)
