"""A Slurm cluster of two nodes on this machine: Debian's daemons, without authentication."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from sl_dagster.resources.engines.vllm_server import free_port

NODES = ("n1", "n2")
_CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/%n.pid
ReturnToService=2
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1
PartitionName=all Nodes=n1,n2 Default=YES State=UP
"""


@contextlib.contextmanager
def running_slurm(folder: Path) -> Iterator[Path]:
    """Run a cluster with its files in a folder; gives the path for ``SLURM_CONF``."""
    configuration = folder / "slurm.conf"
    host = socket.gethostname().partition(".")[0]
    ports = [free_port() for _ in range(3)]
    configuration.write_text(_CONFIGURATION.format(host=host, ports=ports, folder=folder))
    for node in NODES:
        (folder / node).mkdir()
    daemons = [["slurmctld", "-D"], *(["slurmd", "-D", "-N", node] for node in NODES)]
    environment = os.environ | {"SLURM_CONF": str(configuration)}
    with contextlib.ExitStack() as stack:
        for command in daemons:
            log = stack.enter_context((folder / f"{'-'.join(command)}.log").open("wb"))
            program = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin")
            assert program, f"{command[0]} is missing: `make debian` installs it"
            daemon = subprocess.Popen(
                [program, *command[1:]], env=environment, stdout=log, stderr=log
            )
            stack.callback(daemon.wait)
            stack.callback(daemon.terminate)
        _wait_for_nodes(environment)
        yield configuration


def _wait_for_nodes(environment: dict[str, str]) -> None:
    for _ in range(300):
        idle = subprocess.run(
            ["sinfo", "--noheader", "--format=%D", "--states=idle"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if idle.stdout.strip() == str(len(NODES)):
            return
        time.sleep(0.1)
    raise AssertionError(f"Slurm's nodes do not come up: {idle.stdout}{idle.stderr}")
