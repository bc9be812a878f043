"""What commands print."""

import pytest

from sl_dagster.commands.terminal import print_rows, print_table
from sl_dagster.results.table import Table

HOSTILE = ("[/INST] news", "Letters [bold red]", "\x1b[31mred")


@pytest.mark.parametrize("text", HOSTILE)
def test_tables_show_texts_as_they_are(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{text: text, "n": 1}], [text, "n"], "table", "Rows", "none")
    print_table(Table(["model", text], [[text, "1"]]), "A table")
    said = capsys.readouterr().out
    assert said.count(text.replace("\x1b", "\ufffd")) == 4
