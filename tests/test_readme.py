"""What the README says of the project holds."""

import re
from pathlib import Path

from sl_dagster.paths import PROJECT_ROOT


def drawn() -> list[Path]:
    """The files and folders in the README's picture of the layout."""
    text = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    [picture] = re.findall(r"^    sl_dagster/\n(?:    .+\n)+", text, re.MULTILINE)
    paths: list[Path] = []
    for line in picture.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2 - 2
        name = line.split()[0]
        above = next((p for p in reversed(paths) if len(p.parts) == depth), Path())
        paths.append(above / name)
    return paths


def test_the_picture_of_the_layout_has_every_room_and_no_other() -> None:
    paths = drawn()
    assert [str(path) for path in paths if not (PROJECT_ROOT / path).exists()] == []
    package = PROJECT_ROOT / "sl_dagster"
    rooms = {init.parent.relative_to(PROJECT_ROOT) for init in package.rglob("__init__.py")}
    assert rooms - {Path("sl_dagster/jobs/preview")} <= set(paths)
