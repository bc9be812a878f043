"""What importing the package does: nothing, but for what must be said before torch is loaded."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["resources.engines.transformers_engine", "training.train"])
@pytest.mark.parametrize(("said", "expected"), [(None, "PASSIVE"), ("active", "ACTIVE")])
def test_threads_do_not_spin_unless_the_user_wants_it(
    module: str, said: str | None, expected: str
) -> None:
    """Both programs that compute here; what the OpenMP library itself says it has been told."""
    environment = {name: os.environ[name] for name in os.environ if "OMP_" not in name}
    environment |= {"OMP_DISPLAY_ENV": "TRUE"} | ({"OMP_WAIT_POLICY": said} if said else {})
    loaded = subprocess.run(
        [sys.executable, "-c", f"import sl_dagster.{module}"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"OMP_WAIT_POLICY = '{expected}'" in loaded.stderr
