"""Last lines that need no full stop, whatever language they are in: formulae, addresses, tables."""

import re

from sl_dagster.method.line_kinds import SHORT
from sl_dagster.method.scripts import EAST_ASIAN, STOPS

# What may follow in a link. Where no space is put behind it, the sentence goes on in letters of its
# own script, unless these are a part of the path.
_IN_LINK = (
    rf"(?:[^\s){EAST_ASIAN}{STOPS}，、；：（）「」『』【】]|\)(?![{EAST_ASIAN}])"
    rf"|(?<=[/=#?_-])[{EAST_ASIAN}]+)"
)
_LINK = re.compile(
    rf"(?:[a-z][a-z0-9+.-]{{1,9}}://|www\.|mailto:){_IN_LINK}+$"
    r"|\S+@(?a:[\w-]+\.[\w.-]+)(?::\S+)?>?$"
    rf"|[\w.-]+\.(?:com|org|net|io)/?{_IN_LINK}*$|(?:[\w-]+\.)+[a-z]{{2,6}}/{_IN_LINK}*$"
    # a path, alone in its line or behind a colon
    r"|(?:^|[:：])\s*(?:~?/|[A-Z]:\\)(?:[\w.+-]+[/\\])+[\w.+-]*$"
)
_EMOTICON = re.compile(
    r"(?:^|[\s.!?,])(?:[:;=xX]['’]?-?[()\[\]>DPpOo/\\|*]+|<3+|[xX]{2,}[oOxX]*|\^[_.-]?\^|[oO]_[oO])$"
)
_PROVED = re.compile(r"(?:∎|\\(?:black)?square|\\qed\w*|\bQ\.?E\.?D)\W*$")
_DISPLAYED = re.compile(r"\$\$.+\$\$$|\\\[.+\\\]$")
_RELATION = re.compile(r"[=≈≡≤≥<>∈≠]|\\(?:le|ge|ne|in|approx|equiv|leq|geq|neq)\b")
_INLINE = re.compile(r"\$([^$\s](?:[^$]*[^$\s])?)\$$")
_EQUATION = re.compile(r"\S{1,30}(?: [-+*/·×] \S{1,30})* [=≈≡≤≥] \S.*$")
# "Serves: 4 people", "**Answer:** 42"
_FIELD = re.compile(r"[^\W\d][^.:：!?。]{0,30}[:：]\**\s*(?:\S+\s+){0,4}\S+$")
_CELL = re.compile(r"(?:\s{2,}|\t)(?=\S)")


def is_address(line: str) -> bool:
    """Whether a link, an address or a path ends a line."""
    return _LINK.search(line) is not None


def ends_in_picture_of_letters(line: str) -> bool:
    """Whether an emoticon ends a line, or kisses do."""
    return _EMOTICON.search(line) is not None


def is_formula(line: str, alone: bool) -> bool:
    """Whether a line ends with mathematics that is a statement of its own.

    Args:
        line: without white space around.
        alone: whether it is a block of its own, which may be an equation or a field with a number.
    """
    if _PROVED.search(line) or _DISPLAYED.search(line):
        return True
    if len(line) > SHORT:
        return False
    if (inline := _INLINE.search(line)) and line.count("$") % 2 == 0:
        return _RELATION.search(inline[1]) is not None
    is_field = any(map(str.isdigit, line)) and _FIELD.fullmatch(line.lstrip("*_"))
    return alone and bool(_EQUATION.match(line) or is_field)


def is_row(block: str) -> bool:
    """Whether the last line of a block has a column where another line has one."""
    *rows, last = block.split("\n")
    columns = [_columns(row) for row in rows]
    return any(_columns(last) & column for column in columns) or (
        "\t" in last.strip() and any("\t" in row.strip() for row in rows)
    )


def _columns(row: str) -> set[int]:
    """Where its cells begin, but for the first."""
    indent = len(row) - len(row.lstrip())
    return {found.end() for found in _CELL.finditer(row) if found.start() > indent}
