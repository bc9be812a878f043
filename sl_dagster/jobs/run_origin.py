"""Runs of this process, marked as runs of the code location that the web UI shows.

Dagster marks the runs that it launches itself. One without the mark is missing on the web UI's
Overview and in its job's list of runs, as if nothing had happened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import dagster as dg
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

CODE_LOCATION = "sl_dagster.definitions"  # its name in workspace.yaml and pyproject.toml, too
_REPOSITORY = "__repository__"  # how Dagster names what a Definitions object holds


@contextmanager
def runs_of_the_location(instance: dg.DagsterInstance, job_name: str) -> Iterator[None]:
    """Mark the runs of a job that are created within the block."""
    location = RegisteredCodeLocationOrigin(CODE_LOCATION)
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, _REPOSITORY), job_name)
    create = instance.create_run_for_job
    # `execute_in_process` offers no way to say it.
    marked = partial(create, remote_job_origin=origin)
    instance.create_run_for_job = marked  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        instance.create_run_for_job = create
