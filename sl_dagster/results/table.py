"""A table of texts, however it is shown: in a terminal, in the report, on a card."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table of texts; its first column names the rows.

    Attributes:
        head: names of the columns.
        rows: as many texts each.
        caption: what is seen in it.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
