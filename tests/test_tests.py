"""What holds of the tests themselves."""

import ast
from pathlib import Path

from tests.conftest import FIRST, TOGETHER

TESTS = Path(__file__).parent


def imported(tree: ast.AST) -> set[str]:
    """The modules that a module imports, and what it imports of them, by their dotted names."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_what_tests_share_does_not_stand_in_a_module_of_tests() -> None:
    found = {}
    for module in TESTS.rglob("*.py"):
        names = imported(ast.parse(module.read_text(encoding="utf-8")))
        found |= {name: module for name in names if name.startswith("tests.") and ".test_" in name}
    assert found == {}


def test_what_is_distributed_by_its_name_is_there() -> None:
    names = {*TOGETHER, *FIRST} - {*TOGETHER.values()}
    assert [name for name in names if not (TESTS.parent / name).exists()] == []
