"""The package as a whole: what importing it does, and that its names are clear."""

import ast
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from sl_dagster.paths import PROJECT_ROOT


@pytest.mark.parametrize(
    ("said", "policy", "turns"), [(None, "PASSIVE", True), ("active", "ACTIVE", False)]
)
def test_threads_do_not_spin_for_long_unless_the_user_wants_it(
    said: str | None, policy: str, turns: bool
) -> None:
    """What the OpenMP library says that it has been told, with our package imported first."""
    own = ("OMP_", "GOMP_")
    environment = {name: os.environ[name] for name in os.environ if not name.startswith(own)}
    environment |= {"OMP_DISPLAY_ENV": "VERBOSE"} | ({"OMP_WAIT_POLICY": said} if said else {})
    loaded = subprocess.run(
        [sys.executable, "-c", "import sl_dagster, torch"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"OMP_WAIT_POLICY = '{policy}'" in loaded.stderr
    assert ("GOMP_SPINCOUNT = '1000'" in loaded.stderr) == turns


def named(module: Path) -> set[str]:
    """The classes, types and constants that a module defines for others."""
    found = set()
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return {name for name in found if not name.startswith("_")}


def test_one_name_stands_for_one_thing() -> None:
    modules = sorted((PROJECT_ROOT / "sl_dagster").rglob("*.py"))
    places = Counter(name for module in modules for name in named(module))
    assert {name: count for name, count in places.items() if count > 1} == {}


def test_a_clock_that_jumps_changes_nothing_but_what_is_shown() -> None:
    """Locks, pauses and progress look at no clock that can be set; these only write down a time."""
    shown = {"report/page.py", "resources/judge.py", "resources/engines/published_place.py"}
    package = PROJECT_ROOT / "sl_dagster"
    reads_it = set()
    for module in package.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in (
                "time.time",
                "datetime.now",
            ):
                reads_it.add(str(module.relative_to(package)))
    assert reads_it == shown
