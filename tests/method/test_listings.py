"""Which lines of a text are listings."""

import pytest

from sl_dagster.method.listings import in_listings, introduces


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("Light it with:\n\n    strike\n      twice\n\n    lift\nthe lamp.", "..##.#."),
        ("Light it::\n\n  strike", "..#"),
        (".. code-block:: console\n\n   $ strike\n\nDone:", "..#.."),
        ("  def light():\n      strike()", ".#"),
        ("It has:\n\n    - a lamp\n    - a rope", "...."),
        ("It has:\n\n  a lamp", "..."),
        (".. note::\n\n   It burns.", "..."),
        ("It burns.\n\n    strike", "..."),
    ],
)
def test_lines_of_listings(text: str, listed: str) -> None:
    found = in_listings(text.splitlines())
    assert "".join("#" if line else "." for line in found) == listed


@pytest.mark.parametrize(
    ("line", "does"),
    [
        ("In this way: ", True),
        ("如下：", True),
        (".. code:: python", True),
        ("In this way.", False),
        ("At 10:30 she left", False),
    ],
)
def test_what_introduces(line: str, does: bool) -> None:
    assert introduces(line) is does
