"""YAML as people mean it: a key that is given twice is a mistake, not the last of its values."""

from typing import Any

import yaml
from yaml.reader import ReaderError

from sl_dagster.method.plain_text import REPLACEMENT, paired, plain_text

# What is wrong, as a rule, with a line that cannot be understood.
_ADVICE = "indent by spaces, and put texts with : # [ { * & ! % @ in quotes"


def parse_yaml(content: str | bytes) -> Any:
    """What a YAML text says; it may hold plain values, lists and mappings only.

    Args:
        content: the text; bytes must be UTF-8.

    Raises:
        yaml.YAMLError: it is no YAML, which includes a key that is given twice and text that is
            none; in one line that names the place.
    """
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        return yaml.load(text, _Loader)
    except UnicodeDecodeError as error:
        why = f"it is not in UTF-8 (byte {error.start + 1}): save it in this encoding"
    except yaml.MarkedYAMLError as error:
        why = _in_one_line(error)
    except ReaderError as error:
        why = f"character {error.position + 1}: U+{error.character:04X} is no text: remove it"
    except RecursionError:
        why = "it is nested too deeply"
    raise yaml.YAMLError(why)


def _in_one_line(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "cannot be understood"
    mark = error.problem_mark or error.context_mark
    if mark and isinstance(error, _MistakeError):
        return f"line {mark.line + 1}: {problem}"
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    begun = error.context_mark
    context = f" {error.context}" if error.context and error.problem else ""
    since = f" that begins in line {begun.line + 1}" if context and begun else ""
    return f"{where}{problem}{context}{since} ({_ADVICE})"


class _MistakeError(yaml.MarkedYAMLError):
    """What is wrong is said, and what to do."""

    def __init__(self, node: yaml.Node | yaml.Event, problem: str) -> None:
        super().__init__(problem=problem, problem_mark=node.start_mark)


class _Loader(yaml.SafeLoader):
    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._open: list[str] = []  # the anchors of what is being read

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()
        if self.check_event(yaml.AliasEvent) and event.anchor in self._open:
            raise _MistakeError(event, f"*{event.anchor} stands within what it is a name of")
        self._open.append(event.anchor)
        node = super().compose_node(parent, index)
        self._open.pop()
        return node

    # Here and not where values are made of the nodes: by then, merge keys (`<<`) have added theirs.
    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            name = (key.tag, str(key.value))
            if name in lines:
                raise _MistakeError(
                    key,
                    f"{key.value} is given twice, first in line {lines[name]}: remove one of them",
                )
            lines[name] = key.start_mark.line + 1
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, OverflowError):
            # What looks like a date or is marked as a number, and is none.
            kind = node.tag.rpartition(":")[2]
            raise _MistakeError(
                node, f"{node.value[:80]!r} is no {kind}: put it in quotes"
            ) from None
        return _text(value, node) if isinstance(value, str) else value


def _text(value: str, node: yaml.Node) -> str:
    """A text; two escapes that mean one character together are that character."""
    value = paired(value)
    if plain_text(value).count(REPLACEMENT) > value.count(REPLACEMENT):
        raise _MistakeError(
            node, f"{value[:80]!r} holds control characters or half characters: remove them"
        )
    return value
