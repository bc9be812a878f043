"""One iteration on a Ray cluster of two nodes on this machine: a part of ``make ray``.

Two raylets, two replicas of the miniature model on Ray Serve LLM, an object storage that speaks
S3 (moto), and ``sl-dagster run`` beside them, whose trainings go to Ray Train. What it prints last
are figures of the run. `make_ray.py` ends all of it with this program, however that ends.
"""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import boto3
import ray
import yaml
from moto.server import ThreadedMotoServer
from ray import serve
from ray.cluster_utils import Cluster
from ray.serve.llm import build_openai_app

HERE = Path(__file__).parent
PROJECT = HERE.parents[2]
PORT = 8117  # of the experiment's base_urls


def main() -> None:
    """Start all of it, run the experiment's first iteration, and print figures."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # every request to the storage
    begin = time.monotonic()
    with ExitStack() as stack:
        folder = Path(tempfile.gettempdir())  # its guard has made one for it
        stack.enter_context(object_storage("adapters"))
        address = stack.enter_context(two_nodes(folder))
        serve_two_replicas()
        ready = time.monotonic()
        run(address, folder)
        done = time.monotonic()
        figures = {
            "seconds until the replicas answered": round(ready - begin),
            "seconds of the iteration": round(done - ready),
        }
    print(json.dumps(figures, indent=2))


@contextmanager
def object_storage(bucket: str) -> Iterator[None]:
    """A storage with an empty bucket; whatever this program starts finds it by its variables."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }
    boto3.client("s3").create_bucket(Bucket=bucket)
    yield
    server.stop()


@contextmanager
def two_nodes(folder: Path) -> Iterator[str]:
    """A cluster of two raylets, whose files go into the folder; gives its address."""
    os.environ |= {
        "RAY_TMPDIR": str(folder),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",
        "RAY_memory_monitor_refresh_ms": "0",  # other programs use this machine's memory, too
    }
    cluster = Cluster()
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=8, resources={"replica": 1}, include_dashboard=False)
        ray.init(address=cluster.address, log_to_driver=False)
        # Ray has put a handler of its own there, which ends one node only.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        yield cluster.address
    finally:
        ray.shutdown()
        cluster.shutdown()


def serve_two_replicas() -> None:
    """Serve the model with Ray Serve LLM, until the cluster ends; both answer on return."""
    settings = yaml.safe_load((HERE / "serve.yaml").read_text(encoding="utf-8"))
    loading = settings["llm_configs"][0]["model_loading_config"]
    loading["model_source"] = str(PROJECT / loading["model_source"])
    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": PORT})
    serve.run(build_openai_app(settings), name="llm", route_prefix="/")


def run(address: str, folder: Path) -> None:
    """Run the experiment, which prints how its answers have grown; it dies with this program."""
    (folder / "home").mkdir()
    shutil.copy(PROJECT / "dagster.yaml", folder / "home")
    environment = os.environ | {
        "RAY_ADDRESS": address,
        "SL_DAGSTER_EXPERIMENTS": str(HERE / "experiments"),
        "SL_DAGSTER_DATA": str(folder / "data"),
        "DAGSTER_HOME": str(folder / "home"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # the launcher's `python`
    }
    guard = [sys.executable, "-m", "sl_dagster.resources.guard"]
    command = [sys.executable, "-m", "sl_dagster.cli", "run", "-e", "on_ray", "--iterations", "1"]
    with subprocess.Popen(
        [*guard, *command], env=environment, stdin=subprocess.PIPE, start_new_session=True
    ) as process:
        if process.wait():
            sys.exit(process.returncode)


if __name__ == "__main__":
    main()
